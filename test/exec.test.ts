import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { ExecChunk } from '@cmdop/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  process.env['CMDOP_TEST_SECRET'] = 'of the daemon'
  world = await startWorld()
  delete process.env['CMDOP_TEST_SECRET']
})
afterAll(() => world[Symbol.asyncDispose]())

const exec: World['handle']['exec'] = (...call) => world.handle.exec(...call)

describe('a command', () => {
  test('as an argv runs as it is, without a shell', async () => {
    const result = await exec(['printf', '%s|', 'a b', '$HOME', '*', ''])
    expect(result).toMatchObject({ stdout: 'a b|$HOME|*||', exitCode: 0, signal: null })
  })

  test('as a string runs under /bin/sh -c', async () => {
    expect((await exec('printf "%s %s" "$0" $((6 * 7)) | cat')).stdout).toBe('/bin/sh 42')
  })

  test('runs in the directory it names, and in the home directory otherwise', async () => {
    const folder = await world.folder()
    expect((await exec(['pwd'], { cwd: folder })).stdout.trim()).toBe(folder)
    expect((await exec(['pwd'])).stdout.trim()).toBe(homedir())
  })

  test('gets the variables it sets, without those it removes', async () => {
    const { stdout } = await exec('env', { env: { GREETING: 'good day', LANG: null, HOME: '/nowhere' } })
    expect(stdout).toContain('GREETING=good day\n')
    expect(stdout).toContain('HOME=/nowhere\n')
    expect(stdout).not.toMatch(/^LANG=/m)
  })

  test('gets nothing of the environment of the daemon that could be a secret', async () => {
    const { stdout } = await exec('env')
    const names = stdout
      .split('\n')
      .map((line) => line.split('=', 1)[0])
      .filter((name) => name !== '')
    const allowed = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|PWD|OLDPWD|SHLVL|_|CMDOP_CALL)$/
    expect(names.filter((name) => !allowed.test(name ?? ''))).toEqual([])
    expect(stdout).not.toContain('of the daemon')
  })

  test('reads nothing when it is given no stdin', async () => {
    expect((await exec('cat; echo end')).stdout).toBe('end\n')
  })

  test('reads a string as stdin', async () => {
    expect((await exec(['cat'], { stdin: 'grüße\n' })).stdout).toBe('grüße\n')
    expect((await exec(['wc', '-c'], { stdin: '' })).stdout.trim()).toBe('0')
  })

  test('reads bytes as stdin and gives them back exactly', async () => {
    const data = randomBytes(3 * 1024 * 1024 + 17)
    const result = await exec(['cat'], { stdin: data, maxOutputBytes: data.length })
    expect(result).toMatchObject({ exitCode: 0, stdoutBytes: data.length, stdoutTruncated: false })
    expect(Buffer.compare(result.stdoutData, data)).toBe(0)
  })

  test('reads an async iterable as stdin, piece by piece', async () => {
    const pieces = Array.from({ length: 40 }, (_, index) => randomBytes(index * 1000))
    const source = async function* () {
      yield* pieces
    }
    const data = Buffer.concat(pieces)
    const result = await exec(['cat'], { stdin: source(), maxOutputBytes: data.length })
    expect(Buffer.compare(result.stdoutData, data)).toBe(0)
  })

  test('that ends before its stdin does not wait for the rest', async () => {
    const never = async function* () {
      yield Buffer.from('one line\nanother line\n')
      await new Promise(() => {})
    }
    expect((await exec(['head', '-n1'], { stdin: never() })).stdout).toBe('one line\n')
    expect((await exec(['true'], { stdin: randomBytes(4 * 1024 * 1024) })).exitCode).toBe(0)
  })

  test('whose stdin throws is ended, and the caller is told', async () => {
    const broken = async function* () {
      yield Buffer.from('some')
      throw new Error('the disk is full')
    }
    await expect(exec(['cat'], { stdin: broken() })).rejects.toMatchObject({
      code: 'cancelled',
      cause: { message: 'the disk is full' },
    })
  })
})

test('a command whose result has arrived is forgotten by the daemon, with stdin and without', async () => {
  await Promise.all([exec(['cat'], { stdin: 'x' }), exec(['true']), exec(['true'], { stdin: randomBytes(300_000) })])
  const journal = join(world.machine.dataDir, 'calls', 'journal.jsonl')
  const isOver = async () => {
    const lines = (await readFile(journal, 'utf8')).split('\n')
    const count = (kind: string) => lines.filter((line) => line.startsWith(`{"${kind}"`)).length
    return count('begin') > 0 && count('begin') === count('forget')
  }
  await waitFor('nothing is remembered', isOver, 2000)
})

describe('the result', () => {
  test('has stdout and stderr apart, with their byte counts', async () => {
    const result = await exec('printf out; printf "on error" >&2')
    expect(result).toMatchObject({ stdout: 'out', stderr: 'on error', stdoutBytes: 3, stderrBytes: 8 })
    expect(result.durationMs).toBeGreaterThan(0)
  })

  test('of a command that fails is its exit code, not an error', async () => {
    expect(await exec('exit 7')).toMatchObject({ exitCode: 7, signal: null })
  })

  test('of a command that ends by a signal is the name of it', async () => {
    expect(await exec('kill -TERM $$')).toMatchObject({ exitCode: null, signal: 'SIGTERM' })
    expect(await exec('kill -KILL $$')).toMatchObject({ exitCode: null, signal: 'SIGKILL' })
  })

  test('of an awaited command keeps head and tail, and says how much there was', async () => {
    const result = await exec('seq 1 100000; printf e >&2', { maxOutputBytes: 1000 })
    expect(result).toMatchObject({ stdoutBytes: 588_895, stdoutTruncated: true, stderrTruncated: false, stderr: 'e' })
    expect(result.stdoutData).toHaveLength(1000)
    expect(result.stdout).toMatch(/^1\n2\n3\n/)
    expect(result.stdout).toContain('\n[... 587895 of 588895 bytes left out ...]\n')
    expect(result.stdout).toMatch(/99999\n100000\n$/)
  })

  test('is not truncated when it just fits', async () => {
    expect(await exec('printf 12345', { maxOutputBytes: 5 })).toMatchObject({ stdout: '12345', stdoutTruncated: false })
    expect(await exec('printf 123456', { maxOutputBytes: 5 })).toMatchObject({ stdoutTruncated: true, stdoutBytes: 6 })
    expect(await exec('printf 123456', { maxOutputBytes: 0 })).toMatchObject({ stdoutTruncated: true, stdoutBytes: 6 })
  })

  test('has binary output byte for byte', async () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    const result = await exec(['base64', '-d'], { stdin: all.toString('base64') })
    expect(Buffer.compare(result.stdoutData, all)).toBe(0)
  })

  test('shows a byte that is no UTF-8 as U+FFFD', async () => {
    const result = await exec("printf 'a\\377b\\303'")
    expect(result.stdout).toBe('a\uFFFDb\uFFFD')
    expect([...result.stdoutData]).toEqual([0x61, 0xff, 0x62, 0xc3])
  })
})

describe('an iteration', () => {
  test('gives all output in order, with offsets that rise without a gap', async () => {
    const execution = exec('i=0; while [ $i -lt 300 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done')
    const chunks: ExecChunk[] = []
    let offset = 0
    for await (const chunk of execution) {
      expect(chunk.offset).toBe(offset)
      offset += chunk.data.length
      chunks.push(chunk)
    }
    const lines = (count: number, word: string) => Array.from({ length: count }, (_, i) => `${word} ${i}\n`).join('')
    expect(text(chunks, 'stdout')).toBe(lines(300, 'out'))
    expect(text(chunks, 'stderr')).toBe(lines(300, 'err'))
    expect(await execution.exit).toMatchObject({ exitCode: 0, stdoutBytes: 2290, stderrBytes: 2290 })
  })

  test('is complete however long it is', async () => {
    const hash = createHash('sha256')
    for await (const { data } of exec('seq 1 500000')) hash.update(data)
    const expected = createHash('sha256')
    for (let number = 1; number <= 500_000; number += 1) expected.update(`${number}\n`)
    expect(hash.digest('hex')).toBe(expected.digest('hex'))
  })

  test('is refused after another one, and after awaiting', async () => {
    const execution = exec(['true'])
    for await (const _ of execution);
    expect(() => execution[Symbol.asyncIterator]()).toThrow(expect.objectContaining({ code: 'conflict' }))
    await expect(execution).rejects.toMatchObject({ code: 'conflict' })
    const awaited = exec(['true'])
    await awaited
    expect(() => awaited[Symbol.asyncIterator]()).toThrow(expect.objectContaining({ code: 'conflict' }))
  })
})

test('an execution can be awaited twice and runs once', async () => {
  const folder = await world.folder()
  const execution = exec('echo x >> file; cat file', { cwd: folder })
  const [first, second] = await Promise.all([execution, execution])
  expect(first).toBe(second)
  expect(first.stdout).toBe('x\n')
})

describe('what cannot be started', () => {
  test('is `command_not_found` for a program that is not there', async () => {
    await expect(exec(['no-such-program-here'])).rejects.toMatchObject({
      code: 'command_not_found',
      retryable: false,
      details: { errno: 'ENOENT', file: 'no-such-program-here' },
    })
  })

  test('is a normal exit of the shell for a string', async () => {
    expect(await exec('no-such-program-here')).toMatchObject({ exitCode: 127 })
  })

  test('is `exec_failed` for a directory that is not there, or is a file', async () => {
    await expect(exec(['true'], { cwd: '/no/such/folder' })).rejects.toMatchObject({ code: 'exec_failed' })
    await expect(exec(['true'], { cwd: '/etc/passwd' })).rejects.toMatchObject({ code: 'exec_failed' })
  })

  test('is `exec_failed` for a file that is no program', async () => {
    await expect(exec(['/etc/passwd'])).rejects.toMatchObject({ code: 'exec_failed', details: { errno: 'EACCES' } })
    await expect(exec(['/etc'])).rejects.toMatchObject({ code: 'exec_failed' })
  })

  test('is `validation` for parameters of another shape', async () => {
    await expect(exec([])).rejects.toMatchObject({ code: 'validation' })
    await expect(exec('true', { cwd: 'relative' })).rejects.toMatchObject({ code: 'validation' })
    await expect(exec('a\0b')).rejects.toMatchObject({ code: 'validation' })
    await expect(exec('true', { orphanMs: -1 })).rejects.toMatchObject({ code: 'validation' })
  })

  test('is `frame_too_large` for a call that fits no frame, and harms no other call', async () => {
    const running = exec('read line; echo $line', { stdin: waitThen('went on\n', 3) })
    // Just over a frame, and just under: to the latter the relay still has to add its permit.
    for (const bytes of [1_048_576, 1_048_330]) {
      await expect(exec(bigCall(bytes))).rejects.toMatchObject({ code: 'frame_too_large' })
    }
    expect((await running).stdout).toBe('went on\n')
  })
})

test('a hundred commands run at once', async () => {
  const results = await Promise.all(Array.from({ length: 100 }, (_, index) => exec(['echo', String(index)])))
  expect(results.map(({ stdout }) => Number(stdout))).toEqual(Array.from({ length: 100 }, (_, index) => index))
})

function text(chunks: readonly ExecChunk[], stream: ExecChunk['stream']): string {
  return Buffer.concat(chunks.filter((chunk) => chunk.stream === stream).map(({ data }) => data)).toString()
}

/** Gives its line after the relay has answered some calls meanwhile. */
async function* waitThen(line: string, calls: number): AsyncGenerator<Uint8Array> {
  for (let call = 0; call < calls; call += 1) await exec(['true'])
  yield Buffer.from(line)
}

/** An argv whose open frame has about so many bytes. */
function bigCall(bytes: number): string[] {
  const argument = 'x'.repeat(100_000)
  const count = Math.floor((bytes - 500) / 100_003)
  return ['true', ...Array.from({ length: count }, () => argument), 'x'.repeat(bytes - 260 - count * 100_003)]
}
