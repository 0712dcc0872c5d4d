import type { MemoryMessage, Question, ReadyMessage } from './messages.ts'

/** A process that can be asked. */
export interface ServeOptions {
  /** Details of {@link ReadyMessage}. */
  readonly ready?: Readonly<Record<string, unknown>>
  /** Answers what is not about memory. */
  answer?(question: Question): Promise<object>
  /** Ends what was started; the process ends after it. */
  close(): Promise<void>
}

/** The benchmark's side of one of its processes: says that it is ready, answers, and ends with the benchmark. */
export function serve(options: ServeOptions): void {
  process.on('message', (question: Question) => {
    reply(question, options).then(
      (answer) => process.send?.(answer),
      (error: unknown) => fail(error),
    )
  })
  process.on('disconnect', () => {
    options.close().then(() => process.exit(0), fail)
  })
  process.send?.({ ...options.ready, type: 'ready' } satisfies ReadyMessage)
}

async function reply(question: Question, options: ServeOptions): Promise<object> {
  if (question.type === 'memory') return readMemory()
  if (options.answer === undefined) throw new Error(`Expected a question about memory, got ${question.type}.`)
  return options.answer(question)
}

/** After full collections: several, because what has a finaliser goes one later. */
async function readMemory(): Promise<MemoryMessage> {
  for (let round = 0; round < 4; round += 1) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const { heapUsed, external } = process.memoryUsage()
  return { type: 'memory', rss: process.memoryUsage.rss(), heapUsed, external }
}

function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  process.exit(1)
}
