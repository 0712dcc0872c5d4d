import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  MAX_RECORDING_CHUNK_BYTES,
  type RecordingFailure,
  RecordingManifest,
  type RecordingSubject,
} from '@cmdop/protocol'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { away, createRecordingRelay, type RecordingRelay } from '../testing/recording-relay.ts'
import { temporaryFolder } from '../testing/temporary-folder.ts'
import { createTestRecorder } from '../testing/test-recorder.ts'
import { testSubject } from '../testing/test-subject.ts'
import type { Recorder, RecorderOptions, RecordingOptions } from './recorder.ts'

const size = { columns: 80, rows: 24 }

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let relay: RecordingRelay
let recorder: Recorder
beforeEach(async () => {
  folder = await temporaryFolder()
  relay = createRecordingRelay()
})
afterEach(async () => {
  await recorder.close()
  await folder[Symbol.asyncDispose]()
})

/** A recorder with a relay in memory. */
function start(options: Partial<RecorderOptions> = {}): Recorder {
  recorder = createTestRecorder(folder.path, { requests: relay, retryMs: 20, sendEveryMs: 20, ...options })
  return recorder
}

function begin(onFailure: RecordingFailure, change: Partial<RecordingOptions> = {}) {
  const subject = testSubject()
  const failures: string[] = []
  const failed = (action: RecordingFailure) => failures.push(action)
  return { subject, failures, recording: recorder.begin(subject, { size, onFailure, failed, ...change }) }
}

type Line = [time: number, code: string, text: string]
const linesOf = (content: Buffer | string | undefined): Line[] =>
  String(content)
    .split('\n')
    .slice(1, -1)
    .map((line) => JSON.parse(line) as Line)
const outputOf = (content: Buffer | string | undefined): string =>
  linesOf(content)
    .filter(([, code, text], index, all) => code === 'o' && !(all[index + 1]?.[1] === 'b' && text.includes('cmdop:')))
    .map(([, , text]) => text)
    .join('')
const local = (...path: string[]) => join(folder.path, 'recordings', ...path)

describe('a session', () => {
  test('is an asciicast file with who, when and what, and a manifest with its SHA-256', async () => {
    start({ requests: { send: async () => away() } })
    const { subject, recording } = begin('continue', { shell: '/bin/bash' })
    recording.note('Ada typed 3 bytes')
    void recording.output(Buffer.from('hello\r\n'))
    recording.resized({ columns: 100, rows: 40 })
    void recording.output(Buffer.from([0xff]))
    await recording.end({ exitCode: 7 })
    const content = await readFile(local(`${subject.recordingId}.cast`))
    expect(JSON.parse(String(content).split('\n')[0] ?? '')).toMatchObject({ version: 2, width: 80, cmdop: subject })
    expect(linesOf(content).map(([, ...event]) => event)).toEqual([
      ['m', 'Ada typed 3 bytes'],
      ['o', 'hello\r\n'],
      ['r', '100x40'],
      ['o', '\u{fffd}'],
      ['b', '/w=='],
    ])
    const manifest: unknown = JSON.parse(await readFile(local(`${subject.recordingId}.manifest.json`), 'utf8'))
    expect(RecordingManifest.parse(manifest)).toMatchObject({
      recordingId: subject.recordingId,
      bytes: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
      exitCode: 7,
      integrity: 'complete',
    })
  })

  test('that prints faster than the disk writes waits, and loses no byte', async () => {
    start()
    const { subject, recording } = begin('terminate')
    const piece = Buffer.from(`${'0123456789abcdef'.repeat(255)}0123456789\r\n`)
    let waits = 0
    for (let count = 0; count < 2000; count += 1) {
      const waiting = recording.output(piece)
      if (waiting !== undefined) waits += 1
      await waiting
    }
    await recording.end({ exitCode: 0 })
    await vi.waitFor(() => expect(relay.manifests.has(subject.recordingId)).toBe(true), 10_000)
    expect(outputOf(relay.contents.get(subject.recordingId)) === piece.toString().repeat(2000)).toBe(true)
    expect(waits).toBeGreaterThan(0)
  })
})

describe('a recording that fails because the spool is full', () => {
  const big = Buffer.from('x'.repeat(20_000))
  const spoolBytes = 30_000

  test('ends the session when it says `terminate`, and what was recorded is kept', async () => {
    start({ spoolBytes, requests: { send: async () => away() } })
    const { subject, recording, failures } = begin('terminate')
    void recording.output(big)
    await vi.waitFor(async () => expect(await readFile(local(`${subject.recordingId}.cast`))).not.toHaveLength(0))
    await vi.waitFor(() => {
      void recording.output(big)
      expect(failures).toEqual(['terminate'])
    })
    await recording.end({ exitCode: null })
    const manifest: unknown = JSON.parse(await readFile(local(`${subject.recordingId}.manifest.json`), 'utf8'))
    expect(manifest).toMatchObject({ integrity: 'gap' })
    expect(outputOf(await readFile(local(`${subject.recordingId}.cast`)))).toContain('xxx')
  })

  test('holds up the output when it says `pause`, until the relay takes recordings again, and loses no byte', async () => {
    relay.before = away
    start({ spoolBytes })
    const { subject, recording, failures } = begin('pause')
    void recording.output(big)
    await vi.waitFor(() => {
      if (failures.length === 0) void recording.output(Buffer.from('y'.repeat(1000)))
      expect(failures).toEqual(['pause'])
    })
    let isHeldUp = true
    const waited = recording.output(Buffer.from('the end'))?.then(() => (isHeldUp = false))
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(isHeldUp).toBe(true)
    relay.before = () => {}
    await waited
    await recording.end({ exitCode: 0 })
    await vi.waitFor(
      () => expect(relay.manifests.get(subject.recordingId)).toMatchObject({ integrity: 'complete' }),
      5000,
    )
    expect(outputOf(relay.contents.get(subject.recordingId))).toMatch(/^x{20000}y+the end$/)
    expect(failures).toEqual(['pause'])
  })

  test('goes on when it says `continue`, and the recording says how much is missing', async () => {
    relay.before = away
    start({ spoolBytes })
    const { subject, recording, failures } = begin('continue')
    let sent = 0
    const put = (text: string) => {
      sent += text.length
      expect(recording.output(Buffer.from(text))).toBeUndefined()
    }
    put('x'.repeat(20_000))
    await vi.waitFor(() => {
      put('y'.repeat(1000))
      expect(failures).toEqual(['continue'])
    })
    relay.before = () => {}
    await vi.waitFor(() => {
      put('z')
      expect(String(relay.contents.get(subject.recordingId))).toContain('z')
    }, 5000)
    await recording.end({ exitCode: 0 })
    await vi.waitFor(() => expect(relay.manifests.get(subject.recordingId)).toMatchObject({ integrity: 'gap' }), 5000)
    const content = relay.contents.get(subject.recordingId)
    const omitted = linesOf(content)
      .filter(([, code]) => code === 'x')
      .map(([, , text]) => (JSON.parse(text) as { bytes: number }).bytes)
    const missing = omitted.reduce((sum, bytes) => sum + bytes, 0)
    expect(missing).toBeGreaterThan(0)
    expect(outputOf(content).length + missing).toBe(sent)
    expect(linesOf(content).some(([, code, text]) => code === 'r' && text === '80x24')).toBe(true)
  })
})

describe('a recording that reaches its greatest length', () => {
  const maxBytes = 100_000
  const put = async (recording: ReturnType<typeof begin>['recording']) => {
    for (let count = 0; count < 40; count += 1) {
      void recording.output(Buffer.from('x'.repeat(5000)))
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  test.each([
    ['terminate', 'terminate'],
    ['pause', 'terminate'],
    ['continue', 'continue'],
  ] as const)('with the policy %s is done with `%s`: waiting would not make it shorter', async (policy, action) => {
    start({ maxBytes })
    const { subject, recording, failures } = begin(policy)
    await put(recording)
    await recording.end({ exitCode: 0 })
    expect(failures).toEqual([action])
    await vi.waitFor(() => expect(relay.manifests.get(subject.recordingId)).toMatchObject({ integrity: 'gap' }), 5000)
    expect(relay.contents.get(subject.recordingId)?.length).toBeLessThanOrEqual(maxBytes)
  })
})

test('a recording whose file cannot be made is one from when it can', async () => {
  start({ requests: { send: async () => away() } })
  await rm(local(), { recursive: true })
  const { subject, recording, failures } = begin('continue')
  await vi.waitFor(() => {
    void recording.output(Buffer.from('lost'))
    expect(failures).toEqual(['continue'])
  })
  await mkdir(local())
  await vi.waitFor(async () => {
    void recording.output(Buffer.from('kept'))
    expect(await readFile(local(`${subject.recordingId}.cast`), 'utf8')).toContain('kept')
  })
  await recording.end({ exitCode: 0 })
  expect(await readFile(local(`${subject.recordingId}.manifest.json`), 'utf8')).toContain('"gap"')
})

describe('commands', () => {
  const run = (output: Buffer, change: Partial<RecordingSubject> = {}) => {
    const subject = testSubject({ kind: 'exec', ...change })
    const record = recorder.beginExec(subject)
    if (output.length > 0) record.output('stdout', output)
    record.end({ exitCode: 0, reason: 'exited' })
    return subject
  }
  const spooled = async () => (await readdir(local())).filter((name) => name.startsWith('bat_'))

  test('in great number are few files, here and at the relay', async () => {
    relay.before = away
    start()
    const subjects = Array.from({ length: 1500 }, (_, index) => run(Buffer.from(`output ${index}\n`)))
    await vi.waitFor(async () => expect((await readdir(local())).length).toBeGreaterThan(1))
    relay.before = () => {}
    await vi.waitFor(() => expect(relay.manifests.size).toBe(1500), 10_000)
    for (const [index, { recordingId }] of subjects.entries())
      expect(outputOf(relay.contents.get(recordingId))).toBe(`output ${index}\r\n`)
    const batches = relay.paths.filter((path) => path.endsWith('/batch'))
    expect(batches).toHaveLength(relay.paths.length)
    expect((await readdir(local('kept'))).length).toBeLessThan(10)
  })

  test('whose output is not ASCII are in batches that the relay takes', async () => {
    relay.before = away
    start()
    const text = 'ж€漢'.repeat(2000)
    const subjects = Array.from({ length: 60 }, () => run(Buffer.from(text)))
    await vi.waitFor(async () => expect((await spooled()).length).toBeGreaterThan(1))
    for (const name of await spooled())
      expect((await stat(local(name))).size).toBeLessThanOrEqual(MAX_RECORDING_CHUNK_BYTES)
    relay.before = () => {}
    await vi.waitFor(() => expect(relay.manifests.size).toBe(60), 10_000)
    for (const { recordingId } of subjects) expect(outputOf(relay.contents.get(recordingId))).toBe(text)
  })

  test('with much output are a recording each', async () => {
    start()
    const { recordingId } = run(Buffer.from('x'.repeat(200_000)))
    await vi.waitFor(() => expect(relay.manifests.has(recordingId)).toBe(true), 5000)
    const content = relay.contents.get(recordingId) ?? Buffer.alloc(0)
    expect(outputOf(content)).toHaveLength(200_000)
    expect(createHash('sha256').update(content).digest('hex')).toBe(relay.manifests.get(recordingId)?.sha256)
  })

  test('that an earlier daemon was killed under are recorded as lost, with what it wrote of them', async () => {
    const written = testSubject({ kind: 'exec' })
    await mkdir(local(), { recursive: true })
    const header = JSON.stringify({ version: 2, cmdop: written })
    await writeFile(local(`${written.recordingId}.cast`), `${header}\n[0,"o","x"]\n`)
    start()
    const subject = testSubject({ kind: 'exec' })
    await Promise.all([recorder.lost(written), recorder.lost(subject)])
    await vi.waitFor(() => expect(relay.manifests.size).toBe(2), 5000)
    for (const { recordingId } of [written, subject])
      expect(relay.manifests.get(recordingId)).toMatchObject({ integrity: 'lost', exitCode: null })
    expect(outputOf(relay.contents.get(written.recordingId))).toBe('x')
  })
})

describe('what an earlier daemon left', () => {
  const header = (subject: RecordingSubject) => `${JSON.stringify({ version: 2, cmdop: subject })}\n`

  test('of a session is sent as lost, up to its last whole line', async () => {
    const subject = testSubject()
    await mkdir(local(), { recursive: true })
    const whole = `${header(subject)}[0.1,"o","kept"]\n`
    await writeFile(local(`${subject.recordingId}.cast`), `${whole}[0.2,"o","to`)
    start()
    await vi.waitFor(() => expect(relay.manifests.get(subject.recordingId)).toMatchObject({ integrity: 'lost' }), 5000)
    expect(String(relay.contents.get(subject.recordingId))).toBe(whole)
    expect(relay.manifests.get(subject.recordingId)).toMatchObject({ bytes: whole.length })
  })

  test('half sent is sent on, not again', async () => {
    const subject = testSubject()
    await mkdir(local(), { recursive: true })
    const whole = `${header(subject)}[0.1,"o","kept"]\n`
    await writeFile(local(`${subject.recordingId}.cast`), whole)
    relay.contents.set(subject.recordingId, Buffer.from(whole.slice(0, 50)))
    start()
    await vi.waitFor(() => expect(relay.manifests.has(subject.recordingId)).toBe(true), 5000)
    expect(relay.paths).toContain(`/api/recordings/${subject.recordingId}/content?offset=50`)
    expect(String(relay.contents.get(subject.recordingId))).toBe(whole)
  })

  test('without even a header is gone, and holds up nothing', async () => {
    const subject = testSubject()
    await mkdir(local(), { recursive: true })
    await writeFile(local('rec_00000000.cast'), '{"version":2,"cm')
    await writeFile(local(`${subject.recordingId}.cast`), header(subject))
    start()
    await vi.waitFor(() => expect(relay.manifests.has(subject.recordingId)).toBe(true), 5000)
    expect(await readdir(local())).toEqual(['kept'])
  })
})

describe('sending', () => {
  test('stores nothing twice when answers are lost', async () => {
    let lost = 0
    relay.after = () => {
      lost += 1
      if (lost % 2 === 1) away()
    }
    start()
    const { subject, recording } = begin('terminate')
    void recording.output(Buffer.from('x'.repeat(900_000)))
    await recording.end({ exitCode: 0 })
    await vi.waitFor(() => expect(relay.manifests.has(subject.recordingId)).toBe(true), 20_000)
    await vi.waitFor(async () => expect(await readdir(local())).toEqual(['kept']), 20_000)
    const content = relay.contents.get(subject.recordingId) ?? ''
    expect(outputOf(content)).toHaveLength(900_000)
    expect(createHash('sha256').update(content).digest('hex')).toBe(relay.manifests.get(subject.recordingId)?.sha256)
  })

  test('of one that fails, or was deleted, holds up no other', async () => {
    const [bad, gone, good] = [testSubject(), testSubject(), testSubject()]
    await mkdir(local(), { recursive: true })
    // A folder cannot be read as a file is, however often it is tried.
    await mkdir(local(`${bad.recordingId}.cast`))
    for (const subject of [gone, good])
      await writeFile(local(`${subject.recordingId}.cast`), `${JSON.stringify({ version: 2, cmdop: subject })}\n`)
    start()
    await rm(local(`${gone.recordingId}.cast`))
    await vi.waitFor(() => expect(relay.manifests.get(good.recordingId)).toBeDefined(), 5000)
    const { recording, subject } = begin('terminate')
    await recording.end({ exitCode: 0 })
    await vi.waitFor(() => expect(relay.manifests.has(subject.recordingId)).toBe(true), 10_000)
    expect(relay.manifests.size).toBe(2)
    await vi.waitFor(async () =>
      expect((await readdir(local())).toSorted()).toEqual(['kept', `${bad.recordingId}.cast`]),
    )
  })

  test('begins anew at a relay that has nothing of it', async () => {
    start()
    const { subject, recording } = begin('terminate')
    void recording.output(Buffer.from('first'))
    await vi.waitFor(() => expect(String(relay.contents.get(subject.recordingId))).toContain('first'), 5000)
    relay.contents.clear()
    void recording.output(Buffer.from('second'))
    await recording.end({ exitCode: 0 })
    await vi.waitFor(() => expect(relay.manifests.has(subject.recordingId)).toBe(true), 10_000)
    expect(outputOf(relay.contents.get(subject.recordingId))).toBe('firstsecond')
  })

  test('keeps the newest of what was sent, up to a bound', async () => {
    start({ historyBytes: 250_000 })
    for (let count = 0; count < 5; count += 1) {
      const { recording } = begin('terminate')
      void recording.output(Buffer.from('x'.repeat(100_000)))
      await recording.end({ exitCode: 0 })
    }
    await vi.waitFor(() => expect(relay.manifests.size).toBe(5), 5000)
    await vi.waitFor(async () => {
      const kept = await readdir(local('kept'))
      expect([kept.length, await readdir(local())]).toEqual([4, ['kept']])
    })
  })
})
