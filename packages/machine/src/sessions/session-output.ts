import type { SessionEnd, TerminalSize } from '@cmdop/protocol'
import { Screen, type Snapshot, type SnapshotOptions } from './screen/screen.ts'
import type { ScreenThread } from './screen/screen-thread.ts'
import { Scrollback } from './scrollback/scrollback.ts'

export interface SessionOutputOptions {
  readonly folder: string
  readonly screens: ScreenThread
  readonly size: TerminalSize
}

/** What a session has put out, what it looks like, and how it ended: all that its participants read. */
export class SessionOutput implements AsyncDisposable {
  readonly scrollback: Scrollback
  readonly screen: Screen
  #end: SessionEnd | undefined
  #changed = Promise.withResolvers<void>()

  constructor({ folder, screens, size }: SessionOutputOptions) {
    this.scrollback = new Scrollback(folder)
    this.screen = new Screen(screens, this.scrollback, size)
  }

  /** How the session ended; then there is no more output. */
  get end(): SessionEnd | undefined {
    return this.#end
  }

  /** Resolves when there is more output, or none any more. */
  get changed(): Promise<void> {
    return this.#changed.promise
  }

  /** The answer is what was appended, in pieces that will not change. */
  append(data: Uint8Array): readonly Uint8Array[] {
    const pieces = this.scrollback.append(data)
    this.screen.more()
    this.#wake()
    return pieces
  }

  finish(end: Omit<SessionEnd, 'outputBytes'>): void {
    this.#end = { ...end, outputBytes: this.scrollback.end }
    this.#wake()
  }

  /** The screen and where output goes on. Should it be lost in the making, a new one, from here on. */
  snapshot(options?: SnapshotOptions): Promise<Snapshot> {
    return this.screen.snapshot(options).catch(() => this.screen.snapshot(options))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.screen.close()
    await this.scrollback[Symbol.asyncDispose]()
  }

  #wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}
