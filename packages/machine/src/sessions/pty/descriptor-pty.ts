import { closeSync, readSync } from 'node:fs'
import { ReadStream } from 'node:tty'
import type { TerminalSize } from '@cmdop/protocol'
import { interruptInput } from './interrupt.ts'
import { MasterWriter } from './master-writer.ts'
import { loadNative } from './native.ts'
import type { Pty, PtyExit } from './pty.ts'

/** Bytes that are given out at once at most. */
const READ_BYTES = 64 * 1024

/** A read of this much may not be all there is: Linux gives out at most 4095 bytes at once. */
const MORE_AFTER_BYTES = 2048

/** Bytes read after the end of the program at most. The kernel holds less; what comes later is of others. */
const MAX_REST_BYTES = 1024 * 1024

/** A program that was started in a pseudo-terminal, and both ends of that, which are closed here. */
export interface StartedTerminal {
  readonly pid: number
  /** Its reads and writes do not wait. */
  readonly master: number
  /** Held open, so that the end of the last program on the terminal is no hang-up and its output stays readable. */
  readonly slave: number
  /** Of the program itself. Never rejects. */
  readonly exit: Promise<PtyExit>
  /** Signals the program's process group. */
  kill(signal: NodeJS.Signals): void
  /** Output as it comes. The bytes are the caller's only until it returns. */
  readonly onData: (data: Uint8Array) => void
}

/** Reads and writes a terminal by its descriptors, wherever its program runs. */
export class DescriptorPty implements Pty {
  readonly #terminal: StartedTerminal
  readonly #stream: ReadStream
  readonly #writer: MasterWriter
  readonly #exit = Promise.withResolvers<PtyExit>()
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  #paused = false
  #resumed = Promise.withResolvers<void>()
  #isOver = false

  constructor(terminal: StartedTerminal) {
    this.#terminal = terminal
    this.#writer = new MasterWriter(terminal.master)
    this.#stream = new ReadStream(terminal.master, {
      onread: { buffer: this.#buffer, callback: (bytes) => this.#read(bytes) },
    })
    // Without a hang-up there is none; should there be one, the end of the program tells.
    this.#stream.on('error', () => {})
    this.#startReading()
    void terminal.exit.then((exit) => this.#finish(exit))
  }

  get pid(): number {
    return this.#terminal.pid
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
    if (this.#isOver || !interruptInput(this.#terminal, data)) return false
    this.#writer.drop()
    return true
  }

  dropInput(): void {
    this.#writer.drop()
  }

  resize({ columns, rows }: TerminalSize): void {
    if (!this.#isOver) loadNative().resize(this.#terminal.master, columns, rows)
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.#isOver) this.#terminal.kill(signal)
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
    this.#terminal.onData(this.#buffer.subarray(0, filled))
    return !this.#paused
  }

  /** Reads without waiting; 0 when there is nothing. It waits for what the kernel has still under way from the program. */
  #readNow(at: number): number {
    try {
      return readSync(this.#terminal.master, this.#buffer, at, READ_BYTES - at, null)
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
      this.#terminal.onData(this.#buffer.subarray(0, bytes))
    }
    closeSync(this.#terminal.slave)
    this.#stream.destroy()
    this.#exit.resolve(exit)
  }
}
