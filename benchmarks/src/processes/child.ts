import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Question, ReadyMessage } from './messages.ts'

/** Milliseconds in which a process must answer. */
const ANSWER_WITHIN_MS = 300_000

/** Milliseconds between asking a process to end and killing it. */
const END_WITHIN_MS = 5000

/** Loaded before all else, but not by a relay. */
const FIRST = new URL('as-the-command.ts', import.meta.url).href

/** What to start. */
export interface ChildOptions {
  /** A file of this folder: `relay-process.ts`. */
  readonly entry: string
  readonly arguments?: readonly string[]
  readonly nodeOptions?: readonly string[]
  /** Raises the limit of open files. */
  readonly openFiles?: number
}

/** A process of ours beside the benchmark. It ends with the benchmark, because it watches the channel between them. */
export class Child implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #entry: string

  private constructor(process: ChildProcess, entry: string) {
    this.#process = process
    this.#entry = entry
  }

  /** Starts a process and waits until it is ready. Throws when it ends before. */
  static async start(options: ChildOptions): Promise<{ child: Child; ready: ReadyMessage }> {
    const child = new Child(spawnNode(options), options.entry)
    try {
      return { child, ready: (await child.#answer()) as ReadyMessage }
    } catch (error) {
      await child[Symbol.asyncDispose]()
      throw error
    }
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  /** Asks one question at a time. */
  async ask<Answer>(question: Question): Promise<Answer> {
    this.#process.send(question)
    return (await this.#answer()) as Answer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = once(this.#process, 'exit')
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), END_WITHIN_MS)
    if (this.#process.connected) this.#process.disconnect()
    await ended
    clearTimeout(timer)
  }

  async #answer(): Promise<unknown> {
    const stop = new AbortController()
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(ANSWER_WITHIN_MS)])
    const ended = once(this.#process, 'exit', { signal }).then(([code, name]) => {
      throw new Error(`${this.#entry} ended early (${String(name ?? code)}).`)
    })
    try {
      const [message] = (await Promise.race([once(this.#process, 'message', { signal }), ended])) as [unknown]
      return message
    } finally {
      stop.abort()
      ended.catch(() => {})
    }
  }
}

function spawnNode(options: ChildOptions): ChildProcess {
  const entry = fileURLToPath(new URL(options.entry, import.meta.url))
  const node = [
    process.execPath,
    '--conditions=@cmdop/source',
    ...(options.entry === 'relay-process.ts' ? [] : ['--import', FIRST]),
    ...(options.nodeOptions ?? []),
    entry,
  ]
  const whole = [...node, ...(options.arguments ?? [])]
  const stdio = ['ignore', 'ignore', 'inherit', 'ipc'] as const
  if (options.openFiles === undefined) return spawn(process.execPath, whole.slice(1), { stdio: [...stdio] })
  const script = `ulimit -n ${options.openFiles} && exec "$@"`
  return spawn('/bin/sh', ['-c', script, 'sh', ...whole], { stdio: [...stdio] })
}
