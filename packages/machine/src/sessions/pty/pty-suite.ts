import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { Pty, PtyExit, PtyHost } from './pty.ts'

/** What `seq 1 2000000` puts out on a terminal: each line with a return. */
const SEQ_BYTES = 16_888_896

/** Times for which whole output is looked at. */
export interface PtyRuns {
  readonly largeRuns: number
  readonly smallRuns: number
}

/** What every adapter of the port must do. */
export function testPty(host: PtyHost, runs: PtyRuns): void {
  testWholeOutput(host, runs)

  test('is a terminal of its size, which changes, with the environment and the directory asked for', async () => {
    const program = await start(host, 'trap "stty size" WINCH; echo $ONE; pwd; stty size; echo ready; read x; read y')
    await program.shows('ready')
    expect(program.text).toBe('1\r\n/\r\n24 80\r\nready\r\n')
    program.pty.resize({ columns: 100, rows: 40 })
    await program.shows('40 100')
    program.pty.kill('SIGKILL')
    expect(await program.pty.exit).toEqual({ exitCode: null, signal: 'SIGKILL' })
  })

  test('says how the program ended', async () => {
    expect(await (await start(host, 'exit 7')).pty.exit).toEqual({ exitCode: 7, signal: null })
    expect(await (await start(host, 'kill -TERM $$')).pty.exit).toEqual({ exitCode: null, signal: 'SIGTERM' })
  })

  test('gives out nothing while it is paused, not even the end, and then all of it', async () => {
    const program = await start(host, 'seq 1 100000')
    program.pty.pause()
    let ended = false
    void program.pty.exit.then(() => (ended = true))
    const seen = program.bytes
    const other = await start(host, 'seq 1 100000')
    await other.pty.exit
    expect(program.bytes).toBe(seen)
    expect(ended).toBe(false)
    program.pty.resume()
    await program.pty.exit
    expect(program.digest).toBe(other.digest)
  })

  test('takes input of any size from a program that reads it', async () => {
    const program = await start(host, 'stty raw -echo; echo ready; head -c 1000000 | sha256sum')
    await program.shows('ready')
    const data = Buffer.alloc(1_000_000, 'input')
    await program.pty.write(data)
    await program.pty.exit
    expect(program.text).toContain(createHash('sha256').update(data).digest('hex'))
  })

  test('keeps what a program does not read, and says how much', async () => {
    const program = await start(host, 'stty raw -echo; echo ready; exec sleep 1000')
    await program.shows('ready')
    const written = program.pty.write(Buffer.alloc(1_000_000))
    expect(program.pty.waitingBytes).toBeGreaterThan(800_000)
    program.pty.kill('SIGKILL')
    await program.pty.exit
    await written
    expect(program.pty.waitingBytes).toBe(0)
  })

  test('lets ^C pass what was pasted into a program that does not read', async () => {
    const program = await start(host, 'trap "echo stopped; exit 3" INT; echo ready; while :; do sleep 0.01; done')
    await program.shows('ready')
    void program.pty.write(Buffer.alloc(500_000, 'line\n'))
    expect(program.pty.interrupt(Buffer.from('x'))).toBe(false)
    expect(program.pty.interrupt(Buffer.from('\x03'))).toBe(true)
    expect(program.pty.waitingBytes).toBe(0)
    await program.pty.write(Buffer.from('\x03'))
    expect(await program.pty.exit).toEqual({ exitCode: 3, signal: null })
    expect(program.text).toContain('stopped')
  })

  test('drops nothing for a ^C that the program reads as a character', async () => {
    const program = await start(host, 'stty raw -echo; echo ready; head -c 3 | od -An -tx1')
    await program.shows('ready')
    void program.pty.write(Buffer.from('a'))
    expect(program.pty.interrupt(Buffer.from('\x03'))).toBe(false)
    await program.pty.write(Buffer.from('\x03b'))
    await program.pty.exit
    expect(program.text).toContain('61 03 62')
  })

  test('gives no other program its terminal', async () => {
    const first = await start(host, 'read x')
    const second = await start(host, 'ls -l /proc/self/fd | grep -c ptmx')
    await second.pty.exit
    expect(second.text).toBe('0\r\n')
    first.pty.kill('SIGKILL')
    await first.pty.exit
  })
}

/** The conformance of issue I10: every byte, however soon the program ends. */
export function testWholeOutput(host: PtyHost, runs: PtyRuns): void {
  test(`gives out 16,888,896 bytes of a flood exactly, ${runs.largeRuns} times`, { timeout: 120_000 }, async () => {
    const expected = createHash('sha256')
    for (let number = 1; number <= 2_000_000; number += 1) expected.update(`${number}\r\n`)
    const digest = expected.digest('hex')
    for (let run = 0; run < runs.largeRuns; run += 1) {
      const program = await start(host, 'exec seq 1 2000000')
      expect(await program.pty.exit).toEqual({ exitCode: 0, signal: null })
      expect(program.bytes).toBe(SEQ_BYTES)
      expect(program.digest).toBe(digest)
    }
  })

  test(
    `gives out the last byte of 20 kB and an end at once, ${runs.smallRuns} times`,
    { timeout: 120_000 },
    async () => {
      const line = 'x'.repeat(98)
      const whole = `${line}\r\n`.repeat(200)
      for (let run = 0; run < runs.smallRuns; run += 1) {
        const program = await start(host, `yes ${line} | head -n 200`)
        await program.pty.exit
        expect(program.text).toBe(whole)
      }
    },
  )
}

interface Program {
  readonly pty: Pty
  readonly bytes: number
  readonly text: string
  readonly digest: string
  /** Resolves when the output holds this. */
  shows(text: string): Promise<void>
}

async function start(host: PtyHost, command: string): Promise<Program> {
  const hash = createHash('sha256')
  let bytes = 0
  let text = ''
  let arrived = Promise.withResolvers<void>()
  const pty = await host.spawn({
    file: '/bin/sh',
    args: ['-c', command],
    env: { PATH: process.env['PATH'] ?? '', ONE: '1', TERM: 'xterm' },
    cwd: '/',
    size: { columns: 80, rows: 24 },
    onData: (data) => {
      hash.update(data)
      bytes += data.length
      if (bytes < 100_000) text += Buffer.from(data).toString('latin1')
      arrived.resolve()
      arrived = Promise.withResolvers()
    },
  })
  const ended: Promise<PtyExit | void> = pty.exit
  return {
    pty,
    get bytes() {
      return bytes
    },
    get text() {
      return text
    },
    get digest() {
      return hash.copy().digest('hex')
    },
    shows: async (wanted) => {
      while (!text.includes(wanted)) await Promise.race([arrived.promise, ended.then(() => fail(wanted))])
    },
  }
}

function fail(wanted: string): never {
  throw new Error(`Expected the program to show ${JSON.stringify(wanted)} before it ended.`)
}
