/** The thread of one search. Its order is its `workerData`; it waits for a word after each message but the last. */
import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import type { FileSearchParams, SearchMatch } from '@cmdop/protocol'
import { find } from './find.ts'
import { escapeRegExp } from './glob.ts'
import type { LineTest } from './search-file.ts'
import type { SearchAnswer, SearchOrder } from './search-messages.ts'

const BATCH = 100
/** Milliseconds after which a batch goes, however small. */
const BATCH_MS = 100

const order = workerData as SearchOrder
try {
  await search()
} catch (error) {
  const errno = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  say({ errno, message: String(error) })
}

async function search(): Promise<void> {
  const matches = find(Buffer.from(order.root), order.params, { line: lineTest(order.params), watched })
  let batch: SearchMatch[] = []
  let sentAt = performance.now()
  for (let next = matches.next(); ; next = matches.next()) {
    if (next.done !== true) batch.push(next.value)
    const isDue = batch.length >= BATCH || performance.now() - sentAt > BATCH_MS
    if (batch.length > 0 && (isDue || next.done === true)) {
      say({ matches: batch })
      if (parentPort !== null) await once(parentPort, 'message')
      batch = []
      sentAt = performance.now()
    }
    if (next.done === true) return say({ end: next.value })
  }
}

function lineTest({ content, regex, ignoreCase }: FileSearchParams): LineTest | undefined {
  if (content === undefined) return undefined
  if (!regex && !ignoreCase) return (line) => line.includes(content)
  const pattern = new RegExp(regex ? content : escapeRegExp(content), ignoreCase ? 'iu' : 'u')
  return watched((line) => pattern.test(line))
}

/** Says while it works that it does: who waits ends a thread whose expression does not come to an end. */
function watched(test: LineTest): LineTest {
  return (text) => {
    Atomics.add(order.tries, 0, 1)
    const found = test(text)
    Atomics.add(order.tries, 0, 1)
    return found
  }
}

function say(answer: SearchAnswer): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows, this is a thread
  parentPort?.postMessage(answer)
}
