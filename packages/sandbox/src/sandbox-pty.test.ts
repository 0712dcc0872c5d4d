import { closeSync, writeSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ReadStream } from 'node:tty'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { libc } from './host/libc.ts'
import { removeTree } from './remove-tree.ts'
import { type Sandbox, openSandbox } from './sandbox.ts'
import { HostProcess } from './starter/host-process.ts'
import type { SandboxTerminal } from './starter/sandbox-process.ts'

const TIOCSWINSZ = 0x5414

let base = ''
let tier: 'namespaces' | 'landlock' = 'namespaces'

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'cmdop-pty-'))
  const host = await HostProcess.start({
    privilege: process.getuid?.() === 0 ? 'root' : 'user',
    network: 'none',
  }).catch(() => undefined)
  if (host === undefined) tier = 'landlock'
  await host?.[Symbol.asyncDispose]()
})

afterAll(() => removeTree(base))

/** A shell in a terminal of a sandbox, with what it showed so far. */
class Shell {
  readonly terminal: SandboxTerminal
  readonly #stream: ReadStream
  shown = ''

  constructor(terminal: SandboxTerminal) {
    this.terminal = terminal
    this.#stream = new ReadStream(terminal.master)
    this.#stream.on('data', (data: Buffer) => (this.shown += data.toString()))
    this.#stream.on('error', () => {})
  }

  /** Types, and waits until something is shown that was not before. */
  async type(text: string, expected: RegExp): Promise<void> {
    const from = this.shown.length
    writeSync(this.terminal.master, text)
    await expect.poll(() => this.shown.slice(from), { timeout: 10_000 }).toMatch(expected)
  }

  close(): void {
    this.#stream.destroy()
    closeSync(this.terminal.slave)
  }
}

async function withShell(body: (shell: Shell, sandbox: Sandbox) => Promise<void>): Promise<void> {
  const sandbox = await openSandbox({ readOnly: true }, { folder: join(base, 'state'), cwd: '/', tier })
  const env = { PATH: '/usr/bin:/bin', PS1: 'ready> ', TERM: 'dumb' }
  const shell = new Shell(
    await sandbox.openPty({ file: 'sh', args: ['-i'], cwd: '/', env, size: { columns: 91, rows: 33 } }),
  )
  try {
    await shell.type('', /ready> $/)
    await body(shell, sandbox)
  } finally {
    shell.close()
    await sandbox.discard()
  }
}

test('a terminal in a view has a name, a size that can be changed, and job control', () =>
  withShell(async (shell) => {
    await shell.type('tty; stty size\r', /\/dev\/pts\/\d+\r\n33 91\r\n/)
    libc().ioctl(shell.terminal.master, TIOCSWINSZ, Buffer.from(new Uint16Array([40, 120, 0, 0]).buffer))
    await shell.type('stty size\r', /40 120\r\n/)
    await shell.type('cat\r', /cat\r\n/)
    await shell.type('abc\r', /abc\r\nabc\r\n/)
    await shell.type('\u{1a}', /ready> $/)
    await shell.type('jobs\r', /Stopped.*cat/)
    await shell.type('fg\r', /cat\r\n/)
    await shell.type('\u{3}', /ready> $/)
    await shell.type('echo after $?\r', /after 130\r\n/)
    writeSync(shell.terminal.master, 'exit 7\r')
    expect(await shell.terminal.exit).toEqual({ exitCode: 7, signal: null })
  }))

test('a terminal that is killed takes its group with it, and others go on', () =>
  withShell(async (shell, sandbox) => {
    const env = { PATH: '/usr/bin:/bin' }
    const other = await sandbox.openPty({ file: 'cat', args: [], cwd: '/', env, size: { columns: 80, rows: 24 } })
    other.kill('SIGKILL')
    expect(await other.exit).toEqual({ exitCode: null, signal: 'SIGKILL' })
    for (const descriptor of [other.master, other.slave]) closeSync(descriptor)
    await shell.type('touch /etc/cmdop-x\r', /Read-only file system|Permission denied/)
  }))
