import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadLibc } from './libc.ts'
import { spawnNative } from './spawn-native.ts'
import { spawnPortable } from './spawn-portable.ts'
import type { SpawnedProcess, SpawnRequest } from './spawned-process.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmdop-spawn-'))
})
afterAll(() => rm(folder, { recursive: true }))

const request = (file: string, args: string[] = [], more: Partial<SpawnRequest> = {}): SpawnRequest => ({
  file,
  args,
  cwd: folder,
  env: { PATH: process.env['PATH'] ?? '' },
  stdin: false,
  ...more,
})

async function native(given: SpawnRequest): Promise<SpawnedProcess> {
  const spawned = spawnNative(given)
  if (spawned === undefined) throw new Error('This system starts no process natively.')
  return spawned
}

/** Each way where it is there; the portable one is there always. */
const ways = [['portable', spawnPortable] as const, ...(loadLibc() === undefined ? [] : [['native', native] as const])]

describe.each(ways)('a process that is started the %s way', (_name, spawn) => {
  const run = async (given: SpawnRequest) => {
    const { stdout, stderr, exit } = await spawn(given)
    const [out, error, end] = await Promise.all([text(stdout), text(stderr), exit])
    return { stdout: out, stderr: error, ...end }
  }

  test('has its arguments as they are, its own output streams and exit code', async () => {
    const args = ['-c', 'printf "%s|" "$@"; echo err >&2; exit 7', 'sh', '', 'a b', '*', "'", 'ü\n']
    expect(await run(request('sh', args))).toEqual({
      stdout: "|a b|*|'|ü\n|",
      stderr: 'err\n',
      exitCode: 7,
      signal: null,
    })
  })

  test('tells the signal that ended it', async () => {
    expect(await run(request('sh', ['-c', 'kill -KILL $$']))).toMatchObject({ exitCode: null, signal: 'SIGKILL' })
    expect(await run(request('sh', ['-c', 'kill -TERM $$']))).toMatchObject({ exitCode: null, signal: 'SIGTERM' })
  })

  test('has the environment and the directory that it is given, and nothing else', async () => {
    const env = { PATH: process.env['PATH'] ?? '', ONE: '1', EMPTY: '' }
    const { stdout } = await run(request('env', [], { env }))
    expect(
      Object.fromEntries(
        stdout
          .trim()
          .split('\n')
          .map((line) => line.split('=')),
      ),
    ).toEqual(env)
    await mkdir(join(folder, 'inside'), { recursive: true })
    expect((await run(request('pwd', ['-P'], { cwd: join(folder, 'inside') }))).stdout).toContain('/inside\n')
  })

  test('is found on the PATH that it is given', async () => {
    const bin = join(folder, 'bin')
    await mkdir(bin, { recursive: true })
    await writeFile(join(bin, 'own-program'), '#!/bin/sh\necho mine\n')
    await chmod(join(bin, 'own-program'), 0o755)
    const env = { PATH: `/nonexistent:${bin}:${process.env['PATH']}` }
    expect((await run(request('own-program', [], { env }))).stdout).toBe('mine\n')
    expect((await run(request('./bin/own-program'))).stdout).toBe('mine\n')
  })

  test('reads what it is sent, or nothing at once', async () => {
    const { stdin, stdout, exit } = await spawn(request('cat', [], { stdin: true }))
    stdin?.end('sent')
    expect([await text(stdout), await exit]).toEqual(['sent', { exitCode: 0, signal: null }])
    expect(await run(request('cat'))).toMatchObject({ stdout: '', exitCode: 0 })
  })

  test('leads a session of its own, with every signal as usual and no descriptor of ours', async () => {
    const script = 'ps -o sid= -p $$; grep -E "SigIgn|SigBlk" /proc/self/status; ls /proc/self/fd'
    const { pid, stdout } = await spawn(request('sh', ['-c', script]))
    const [sid, blocked, ignored, ...descriptors] = (await text(stdout)).trim().split('\n')
    expect(Number(sid)).toBe(pid)
    expect([blocked, ignored].map((line) => line?.split('\t')[1])).toEqual(['0000000000000000', '0000000000000000'])
    // What any child of this process has: its three, what ls reads, and what whoever started us left open.
    expect(descriptors).toEqual(execFileSync('ls', ['/proc/self/fd'], { encoding: 'utf8' }).trim().split('\n'))
  })

  test('leaves no descriptor open when it is over, two hundred times', async () => {
    await run(request('true'))
    const before = (await readdir('/proc/self/fd')).length
    await Promise.all(Array.from({ length: 200 }, () => run(request('true'))))
    expect((await readdir('/proc/self/fd')).length).toBeLessThan(before + 10)
  })
})

describe('a process that cannot be started natively', () => {
  test.each([
    ['is not there', request('no-such-program')],
    ['is to run in a directory that is not there', request('true', [], { cwd: '/no/such/directory' })],
    ['is a folder', request('/tmp')],
  ])('because it %s is left to the portable way, and takes no descriptor', async (_why, given) => {
    const before = (await readdir('/proc/self/fd')).length
    expect(spawnNative(given)).toBeUndefined()
    expect((await readdir('/proc/self/fd')).length).toBeLessThanOrEqual(before)
    await expect(spawnPortable(given)).rejects.toMatchObject({ code: expect.stringMatching(/^E/) as string })
  })
})
