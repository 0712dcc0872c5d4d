import { Worker } from 'node:worker_threads'
import { CmdopError } from '@cmdop/protocol'
import { toStoreError } from './sqlite-errors.ts'
import type { WorkerAnswer, WorkerRequest, WorkerSettings, WorkerSuccess } from './worker-messages.ts'

/** Requests that may wait for an answer. One more is refused with `unavailable`, unless it helps something to its end. */
const maxPending = 65_536

/** The worker sends this id when the database is open. */
const readyId = 0

/** A request without the id that it gets here. */
export type RequestBody = WorkerRequest extends infer Request
  ? Request extends unknown
    ? Omit<Request, 'id'>
    : never
  : never

interface Pending {
  resolve(answer: WorkerSuccess): void
  reject(error: CmdopError): void
}

/**
 * The relay's end of the thread that owns the database: requests of one tick go as one message, each gets its own
 * answer. When the thread dies, every request, waiting or later, is rejected with `unavailable`.
 */
export class SqliteWorker {
  readonly #worker: Worker
  readonly #pending = new Map<number, Pending>()
  #outgoing: WorkerRequest[] = []
  #nextId = readyId + 1
  #ended: CmdopError | undefined

  private constructor(settings: WorkerSettings) {
    this.#worker = new Worker(workerFile(), { name: 'cmdop-sqlite', workerData: settings, execArgv: [] })
    this.#worker.on('message', (answers: WorkerAnswer[]) => this.#receive(answers))
    this.#worker.on('error', (error) => this.#end(error))
    this.#worker.on('exit', () => this.#end(undefined))
  }

  /** Starts the thread; resolves when the database is open. `config` when it cannot be opened. */
  static async start(settings: WorkerSettings): Promise<SqliteWorker> {
    const client = new SqliteWorker(settings)
    try {
      await client.#wait(readyId)
      return client
    } catch (error) {
      const reason = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : ''
      throw new CmdopError(
        'config',
        `Expected ${settings.file} to be a SQLite database that can be written${reason}.`,
        {
          cause: error,
        },
      )
    }
  }

  /** Sends one request. Rejects with the code that {@link toStoreError} gives to its failure. */
  async request(body: RequestBody): Promise<WorkerSuccess> {
    if (this.#ended !== undefined) throw this.#ended
    if (this.#pending.size >= maxPending && !isEnding(body)) {
      throw new CmdopError('unavailable', `The store has ${maxPending} statements waiting; try again later.`)
    }
    const id = this.#nextId++
    // After the microtasks of this tick: everything asked by then shares one message, and in the worker one commit.
    if (this.#outgoing.length === 0) process.nextTick(() => this.#flush())
    this.#outgoing.push({ ...body, id })
    return await this.#wait(id)
  }

  /** Runs what was sent before, closes the database and ends the thread. Nothing is left to do when it has died. */
  async close(): Promise<void> {
    if (this.#ended !== undefined) return
    await this.request({ kind: 'close' })
    this.#ended = new CmdopError('unavailable', 'The store is closed; open it again.')
    await this.#worker.terminate()
  }

  #wait(id: number): Promise<WorkerSuccess> {
    return new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }))
  }

  #flush(): void {
    this.#worker.postMessage(this.#outgoing, [])
    this.#outgoing = []
  }

  #receive(answers: readonly WorkerAnswer[]): void {
    for (const answer of answers) {
      const pending = this.#pending.get(answer.id)
      this.#pending.delete(answer.id)
      if ('failure' in answer) pending?.reject(toStoreError(answer.failure))
      else pending?.resolve(answer)
    }
  }

  #end(cause: unknown): void {
    this.#ended ??= new CmdopError('unavailable', 'The store has stopped; restart the relay.', { cause })
    for (const pending of this.#pending.values()) pending.reject(this.#ended)
    this.#pending.clear()
  }
}

/** What belongs to an open transaction holds up the rest until it is done, and closing comes last anyway. */
function isEnding(body: RequestBody): boolean {
  return body.kind === 'statement' ? body.transaction !== null : body.kind !== 'begin' && body.kind !== 'stats'
}

/** Node runs the source itself in development. A URL is not rewritten by the compiler, so it follows this file. */
function workerFile(): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return new URL(`./sqlite-worker.${extension}`, import.meta.url)
}
