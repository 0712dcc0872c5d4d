import { closeSync, constants as files, openSync, readSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { ReadStream } from 'node:tty'
import { CmdopError, type TerminalSize } from '@cmdop/protocol'
import { signalProcess } from '../../exec/marked-processes.ts'
import { loadLibc } from '../../exec/spawn/libc.ts'
import { interruptInput } from './interrupt.ts'
import { MasterWriter } from './master-writer.ts'
import type { Pty, PtyExit, PtyHost, PtyRequest } from './pty.ts'

/** Bytes that are given out at once at most. */
const READ_BYTES = 64 * 1024

/** A read of this much may not be all there is: Linux gives out at most 4095 bytes at once. */
const MORE_AFTER_BYTES = 2048

/** Bytes read after the end of the program at most. The kernel holds less; what comes later is of others. */
const MAX_REST_BYTES = 1024 * 1024

/** The native part of node-pty, see its `src/unix/pty.cc`. */
interface Native {
  fork(
    file: string,
    args: readonly string[],
    env: readonly string[],
    cwd: string,
    columns: number,
    rows: number,
    uid: number,
    gid: number,
    utf8: boolean,
    helper: string,
    onExit: (code: number, signal: number) => void,
  ): { readonly pid: number; readonly fd: number; readonly pty: string }
  resize(descriptor: number, columns: number, rows: number): void
}

/**
 * Pseudo-terminals by the native part of node-pty. Its JavaScript part is not used: it loses the end of the output
 * (microsoft/node-pty issues 72, 85, 674, 726) because it closes the terminal 200 ms after the program, because libuv takes the
 * hang-up for the end while bytes are left, and it spins while a program does not read its input.
 */
export const nodePtyHost: PtyHost = {
  spawn: async (request) => new NodePty(loadNative(), request),
}

class NodePty implements Pty {
  readonly pid: number
  readonly #native: Native
  readonly #request: PtyRequest
  readonly #master: number
  /** Held open, so that the end of the last program on the terminal is no hang-up and its output stays readable. */
  readonly #slave: number
  readonly #stream: ReadStream
  readonly #writer: MasterWriter
  readonly #exit = Promise.withResolvers<PtyExit>()
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  #paused = false
  #resumed = Promise.withResolvers<void>()
  #isOver = false

  constructor(native: Native, request: PtyRequest) {
    this.#native = native
    this.#request = request
    const { file, args, env, cwd, size } = request
    const entries = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    const onExit = (code: number, signal: number) => void this.#finish(exitOf(code, signal))
    const forked = native.fork(file, args, entries, cwd, size.columns, size.rows, -1, -1, true, helperPath(), onExit)
    this.pid = forked.pid
    this.#master = forked.fd
    closeOnExec(this.#master)
    this.#slave = openSync(forked.pty, files.O_RDWR | files.O_NOCTTY)
    this.#writer = new MasterWriter(this.#master)
    this.#stream = new ReadStream(this.#master, {
      onread: { buffer: this.#buffer, callback: (bytes) => this.#read(bytes) },
    })
    // Without a hang-up there is none; should there be one, the end of the program tells.
    this.#stream.on('error', () => {})
    this.#startReading()
  }

  get exit(): Promise<PtyExit> {
    return this.#exit.promise
  }

  get waitingBytes(): number {
    return this.#writer.waitingBytes
  }

  pause(): void {
    if (this.#paused || this.#isOver) return
    this.#paused = true
    this.#stream.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#resumed.resolve()
    this.#resumed = Promise.withResolvers()
    if (!this.#isOver) this.#startReading()
  }

  write(data: Uint8Array): Promise<void> {
    return this.#writer.write(data)
  }

  interrupt(data: Uint8Array): boolean {
    if (this.#isOver || !interruptInput({ master: this.#master, slave: this.#slave }, data)) return false
    this.#writer.drop()
    return true
  }

  dropInput(): void {
    this.#writer.drop()
  }

  resize({ columns, rows }: TerminalSize): void {
    if (!this.#isOver) this.#native.resize(this.#master, columns, rows)
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.#isOver) signalProcess(-this.pid, signal)
  }

  /** Not by `resume`, which begins in a later tick, whether it was paused meanwhile or not. */
  #startReading(): void {
    this.#stream.read(0)
  }

  /** Gives out what has arrived, with what the kernel has beyond its first piece. */
  #read(bytes: number): boolean {
    let filled = bytes
    let piece = bytes
    while (piece >= MORE_AFTER_BYTES && filled < READ_BYTES) {
      piece = this.#readNow(filled)
      filled += piece
    }
    this.#request.onData(this.#buffer.subarray(0, filled))
    return !this.#paused
  }

  /** Reads without waiting; 0 when there is nothing. It waits for what the kernel has still under way from the program. */
  #readNow(at: number): number {
    try {
      return readSync(this.#master, this.#buffer, at, READ_BYTES - at, null)
    } catch {
      return 0
    }
  }

  async #finish(exit: PtyExit): Promise<void> {
    this.#isOver = true
    this.#writer.end()
    this.#stream.pause()
    for (let rest = 0; rest < MAX_REST_BYTES;) {
      if (this.#paused) await this.#resumed.promise
      const bytes = this.#readNow(0)
      if (bytes === 0) break
      rest += bytes
      this.#request.onData(this.#buffer.subarray(0, bytes))
    }
    closeSync(this.#slave)
    this.#stream.destroy()
    this.#exit.resolve(exit)
  }
}

function exitOf(exitCode: number, signal: number): PtyExit {
  if (signal === 0) return { exitCode, signal: null }
  const entry = Object.entries(constants.signals).find(([, value]) => value === signal)
  return { exitCode: null, signal: (entry?.[0] as NodeJS.Signals | undefined) ?? 'SIGKILL' }
}

/** Of `<fcntl.h>`. */
const F_SETFD = 2
const FD_CLOEXEC = 1

/** node-pty leaves it open for every program that is started later, which could then read and type in this terminal. */
function closeOnExec(descriptor: number): void {
  loadLibc()?.fcntl(descriptor, F_SETFD, 'int', FD_CLOEXEC)
}

const require = createRequire(import.meta.url)
let native: Native | undefined

function loadNative(): Native {
  try {
    const loader = require('@lydell/node-pty/requireBinary.js') as { requireBinary(name: string): Native }
    native ??= loader.requireBinary('pty.node')
    return native
  } catch (cause) {
    throw new CmdopError('unsupported', 'This machine has no pseudo-terminals: node-pty has no binary for it.', {
      cause,
    })
  }
}

/** On macOS the program is started by a small helper, https://github.com/microsoft/node-pty/pull/487. */
function helperPath(): string {
  if (process.platform !== 'darwin') return ''
  const here = createRequire(require.resolve('@lydell/node-pty'))
  return here.resolve(`@lydell/node-pty-darwin-${process.arch}/spawn-helper`)
}
