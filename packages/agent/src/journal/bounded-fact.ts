import { MAX_RUN_ENTRY_BYTES } from '@cmdop/protocol'
import type { ModelMessage } from 'ai'
import type { JournalFact, StepEnded } from '../ports/journal.ts'

/** Most bytes of one text of an answer in a journal. */
const maxTextBytes = 524_288

/** Bytes of an entry that are left for what every entry has. */
const entryBytes = MAX_RUN_ENTRY_BYTES - 16_384

/** Texts are cut no shorter, however large an entry is. */
const leastTextBytes = 512

/** Stands in a journal where something was too long for it. */
export const cutMark = '[too long for the journal]'

/**
 * A fact that fits into an entry: of a text of the model that is longer than 512 KiB it has head and tail, and of one that is still
 * too large every text and list is cut until it fits.
 */
export function boundedFact(fact: JournalFact): JournalFact {
  return fitted(fact.type === 'step_ended' ? withBoundedText(fact) : fact)
}

/** The output of a run in the same way: what it is compared with when the run is gone through again. */
export function boundedOutput(output: unknown): unknown {
  return fitted(typeof output === 'string' ? cutText(output, maxTextBytes) : output)
}

function withBoundedText(fact: StepEnded): StepEnded {
  const { step, messages } = fact
  const text = cutText(step.text, maxTextBytes)
  const bounded = messages.map((message) => boundedMessage(message))
  return { ...fact, step: text === step.text ? step : { ...step, text }, messages: bounded }
}

/** Not the calls in it: those are made as they are, or not at all. */
function boundedMessage(message: ModelMessage): ModelMessage {
  if (message.role !== 'assistant' || typeof message.content === 'string') return message
  const content = message.content.map((part) =>
    part.type === 'text' || part.type === 'reasoning' ? { ...part, text: cutText(part.text, maxTextBytes) } : part,
  )
  return { ...message, content }
}

function fitted<Value>(value: Value): Value {
  let fitting: unknown = value
  for (let limit = maxTextBytes; limit >= leastTextBytes && isTooLarge(fitting); limit /= 4) fitting = cut(value, limit)
  return fitting as Value
}

/** Texts of so many bytes at most, and lists of a 64th of that. */
function cut(value: unknown, limit: number): unknown {
  if (typeof value === 'string') return cutText(value, limit)
  if (Array.isArray(value)) {
    const items = value.slice(0, limit / 64).map((each) => cut(each, limit))
    // A list of objects stays one: its reader knows no other form.
    return items.length < value.length && typeof value[0] === 'string' ? [...items, cutMark] : items
  }
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, cut(each, limit)]))
}

function cutText(text: string, limit: number): string {
  // No character of UTF-16 has more than three bytes.
  if (text.length * 3 <= limit) return text
  const data = Buffer.from(text)
  if (data.length <= limit) return text
  const half = limit / 2 - cutMark.length
  const [head, tail] = [data.subarray(0, half), data.subarray(-half)].map((part) => part.toString())
  // What is left of a character that was cut.
  return `${head?.replace(/\uFFFD+$/, '')}\n${cutMark}\n${tail?.replace(/^\uFFFD+/, '')}`
}

function isTooLarge(value: unknown): boolean {
  // No character has more than six bytes in JSON, and no number more than 24.
  return roughSize(value) * 6 > entryBytes && Buffer.byteLength(JSON.stringify(value)) > entryBytes
}

function roughSize(value: unknown): number {
  if (typeof value === 'string') return value.length + 2
  if (typeof value !== 'object' || value === null) return 5
  let size = 2
  for (const [key, each] of Object.entries(value)) size += key.length + 4 + roughSize(each)
  return size
}
