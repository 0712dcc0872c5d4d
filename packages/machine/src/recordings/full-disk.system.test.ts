import { execFileSync } from 'node:child_process'
import { mkdirSync, statfsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { temporaryFolder } from '../testing/temporary-folder.ts'
import { createTestRecorder } from '../testing/test-recorder.ts'
import { testSubject } from '../testing/test-subject.ts'
import type { Recorder } from './recorder.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let disk = ''
let recorder: Recorder
beforeEach(async () => {
  expect(process.getuid?.(), 'These tests need root: sudo npm run test:system').toBe(0)
  folder = await temporaryFolder()
  disk = join(folder.path, 'recordings')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', disk])
  recorder = createTestRecorder(folder.path, { retryMs: 20 })
})
afterEach(async () => {
  await recorder.close()
  execFileSync('umount', [disk])
  await folder[Symbol.asyncDispose]()
})

/** Writes until nothing goes in any more. */
async function fill(): Promise<void> {
  const { bavail, bsize } = statfsSync(disk)
  await writeFile(join(disk, 'filler'), Buffer.alloc(bavail * bsize)).catch(() => {})
}

test('a recording on a full disk goes on when there is room, in whole lines, and says exactly what is missing', async () => {
  const subject = testSubject()
  const actions: string[] = []
  const failed = (action: string) => actions.push(action)
  const recording = recorder.begin(subject, { size: { columns: 80, rows: 24 }, onFailure: 'continue', failed })
  const file = join(disk, `${subject.recordingId}.cast`)
  let sent = 0
  const put = (text: string) => {
    sent += text.length
    void recording.output(Buffer.from(text))
  }
  put('before')
  await vi.waitFor(async () => expect(await readFile(file, 'utf8')).toContain('before'))
  await fill()
  await vi.waitFor(() => {
    put('x'.repeat(5000))
    expect(actions).toEqual(['continue'])
  })
  await rm(join(disk, 'filler'))
  await vi.waitFor(async () => {
    put('after')
    expect(await readFile(file, 'utf8')).toContain('after')
  })
  await recording.end({ exitCode: 0 })
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n')
  const events = lines.slice(1).map((line) => JSON.parse(line) as [number, string, string])
  let kept = 0
  let missing = 0
  for (const [index, [, code, text]] of events.entries()) {
    if (code === 'o' && events[index + 1]?.[1] !== 'b') kept += text.length
    if (code === 'x') missing += (JSON.parse(text) as { bytes: number }).bytes
  }
  expect(missing).toBeGreaterThan(0)
  expect(kept + missing).toBe(sent)
  expect(JSON.parse(await readFile(file.replace('.cast', '.manifest.json'), 'utf8'))).toMatchObject({
    integrity: 'gap',
  })
})
