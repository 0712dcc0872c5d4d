import { Worker } from 'node:worker_threads'
import {
  ANSWER_LANE,
  type Channel,
  CmdopError,
  type FileSearchParams,
  type SearchEnd,
  fileError,
} from '@cmdop/protocol'
import { abandoned } from '../../answer.ts'
import { pathBytes } from '../request-path.ts'
import type { SearchAnswer, SearchOrder } from './search-messages.ts'

/** Searches at a time; each has a thread. */
const MAX_SEARCHES = 4

/** Milliseconds that an expression may take for one line of at most 64 KiB, or for one name. */
const LINE_MS = 2000

/** Megabytes of heap of the thread; it holds one directory and one block of one file. */
const HEAP_MB = 256

/** Serves `file.search`, each in a thread of its own, which ends with its channel. */
export class Searches {
  #running = 0

  async serve(channel: Channel, params: FileSearchParams): Promise<void> {
    if (params.name === undefined && params.content === undefined)
      throw new CmdopError('validation', 'Expected a name, a content, or both to look for.')
    if (params.regex) assertExpression(params)
    if (this.#running >= MAX_SEARCHES)
      throw new CmdopError('rate_limit', `The machine runs ${MAX_SEARCHES} searches at a time; try again in a while.`)
    this.#running += 1
    try {
      channel.accept()
      await channel.end(await runSearch(channel, params))
    } finally {
      this.#running -= 1
    }
  }
}

async function runSearch(channel: Channel, params: FileSearchParams): Promise<SearchEnd> {
  const root = pathBytes(params.path)
  const tries = new Int32Array(new SharedArrayBuffer(4))
  const order: SearchOrder = { params, root, tries }
  const worker = new Worker(workerFile(), {
    name: 'cmdop-search',
    workerData: order,
    // It imports no package, so no condition of their exports matters to it.
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  })
  const ended = Promise.withResolvers<SearchEnd>()
  const receive = async (answer: SearchAnswer) => {
    if ('end' in answer) ended.resolve(answer.end)
    else if ('errno' in answer)
      ended.reject(fileError(Object.assign(new Error(answer.message), { code: answer.errno }), root.toString()))
    else {
      await channel.send(ANSWER_LANE, Buffer.from(answer.matches.map((match) => `${JSON.stringify(match)}\n`).join('')))
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows, this is a thread
      worker.postMessage('more')
    }
  }
  worker.on('message', (answer: SearchAnswer) => void receive(answer).catch(ended.reject))
  worker.on('error', ended.reject)
  worker.on('exit', () => ended.reject(new CmdopError('server', 'The thread of the search ended early.')))
  abandoned(channel).addEventListener('abort', () =>
    ended.reject(new CmdopError('cancelled', 'Nobody waits any more.')),
  )
  const watch = watchTries(tries, () => ended.reject(tooSlow()))
  try {
    return await ended.promise
  } finally {
    clearInterval(watch)
    await worker.terminate()
  }
}

/** Calls back when the same line or name is still being tried. */
function watchTries(tries: Int32Array, stuck: () => void): NodeJS.Timeout {
  let last = -1
  return setInterval(() => {
    const now = Atomics.load(tries, 0)
    if (now === last && Math.abs(now % 2) === 1) stuck()
    last = now
  }, LINE_MS)
}

function assertExpression({ content = '', ignoreCase }: FileSearchParams): void {
  try {
    RegExp(content, ignoreCase ? 'iu' : 'u')
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new CmdopError('validation', `Expected content to be a regular expression: ${reason}.`, { cause })
  }
}

function tooSlow(): CmdopError {
  return new CmdopError(
    'validation',
    `The expression takes more than ${LINE_MS / 1000} s for one name or line; write it with less repetition.`,
  )
}

/** Beside this file, as TypeScript or as what it was compiled to. */
function workerFile(): URL {
  return new URL(`./search-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)
}
