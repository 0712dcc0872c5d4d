import { Worker } from 'node:worker_threads'
import { CmdopError, type TerminalSize } from '@cmdop/protocol'
import type { ScreenAnswer, ScreenRequest } from './screen-messages.ts'

/** Memory that the screens of all sessions may take; one that takes more ends the thread, not the daemon. */
const MAX_MEMORY_MB = 1024

/** Milliseconds without an answer after which the thread is ended: no output takes so long. */
const ANSWER_WITHIN_MS = 60_000

/** A screen as it was painted. */
export interface PaintedScreen {
  readonly size: TerminalSize
  readonly paint: Uint8Array
}

/** What happens to a screen. */
export interface ScreenHandlers {
  /** So many bytes more are on it. */
  written(bytes: number): void
  /** The thread has died, and the screen with it. Another one can be opened. */
  lost(): void
}

/** One screen in the thread. */
export interface ScreenHandle {
  write(data: Uint8Array): void
  resize(size: TerminalSize): void
  /** Of all that was written before. Rejects with `server` when the thread dies. */
  paint(history: boolean): Promise<PaintedScreen>
  close(): void
}

interface Open {
  readonly handlers: ScreenHandlers
  readonly paints: Map<number, PromiseWithResolvers<PaintedScreen>>
}

/** The one thread that keeps the screens of all sessions, so that no output keeps the daemon from its other work. */
export class ScreenThread implements AsyncDisposable {
  #worker: Worker | undefined
  readonly #open = new Map<number, Open>()
  #nextId = 1
  /** What was asked and not answered. */
  #unanswered = 0
  #watchdog: NodeJS.Timeout | undefined

  /** Starts the thread when it is the first screen. */
  open(size: TerminalSize, handlers: ScreenHandlers): ScreenHandle {
    const worker = (this.#worker ??= this.#start())
    const id = this.#nextId++
    const paints: Open['paints'] = new Map()
    this.#open.set(id, { handlers, paints })
    const send = (request: ScreenRequest) => {
      if (this.#worker !== worker) return
      worker.postMessage(request, [])
      if (request.kind === 'write' || request.kind === 'snapshot') this.#expectAnswer()
    }
    send({ kind: 'open', id, ...size })
    return {
      write: (data) => send({ kind: 'write', id, data }),
      resize: (changed) => send({ kind: 'resize', id, ...changed }),
      paint: (history) => {
        if (!this.#open.has(id)) return Promise.reject(lost())
        const painted = Promise.withResolvers<PaintedScreen>()
        const snapshotId = this.#nextId++
        paints.set(snapshotId, painted)
        send({ kind: 'snapshot', id, snapshotId, history })
        return painted.promise
      },
      close: () => {
        if (this.#open.delete(id)) send({ kind: 'close', id })
        for (const { reject } of paints.values()) reject(lost())
      },
    }
  }

  /** Ends the thread and every screen in it; the next one starts another. */
  async restart(): Promise<void> {
    await this.#worker?.terminate()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#watchdog)
    const worker = this.#worker
    this.#worker = undefined
    await worker?.terminate()
  }

  #start(): Worker {
    const worker = new Worker(workerFile(), {
      name: 'cmdop-screens',
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: MAX_MEMORY_MB },
    })
    worker.on('message', (answer: ScreenAnswer) => this.#receive(answer))
    // An error is followed by the exit.
    worker.on('error', () => {})
    worker.on('exit', () => this.#end(worker))
    // A daemon that has nothing else to do may end.
    worker.unref()
    return worker
  }

  #expectAnswer(): void {
    this.#unanswered += 1
    this.#watchdog ??= setTimeout(() => void this.restart(), ANSWER_WITHIN_MS).unref()
  }

  #receive(answer: ScreenAnswer): void {
    this.#unanswered -= 1
    if (this.#unanswered > 0) this.#watchdog?.refresh()
    else {
      clearTimeout(this.#watchdog)
      this.#watchdog = undefined
    }
    const screen = this.#open.get(answer.id)
    if (answer.kind === 'written') return screen?.handlers.written(answer.bytes)
    const { columns, rows, paint } = answer
    screen?.paints.get(answer.snapshotId)?.resolve({ size: { columns, rows }, paint })
    screen?.paints.delete(answer.snapshotId)
  }

  #end(worker: Worker): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    this.#unanswered = 0
    clearTimeout(this.#watchdog)
    this.#watchdog = undefined
    const screens = [...this.#open.values()]
    this.#open.clear()
    for (const { handlers, paints } of screens) {
      for (const { reject } of paints.values()) reject(lost())
      handlers.lost()
    }
  }
}

function lost(): CmdopError {
  return new CmdopError('server', 'The screen of the session was lost; it is painted from here on.')
}

/** Node runs the source itself in development. A URL is not rewritten by the compiler, so it follows this file. */
function workerFile(): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return new URL(`./screen-worker.${extension}`, import.meta.url)
}
