import type { RecordingOmission } from '@cmdop/protocol'
import type { CastEncoder } from './cast-encoder.ts'
import type { OutputPiece } from './exec-output.ts'

/** What an event costs beside its bytes: a flood of tiny ones is bounded too. */
const EVENT_COST = 128

/** Notes are not taken any more when so much waits: who waits for a disk may go on typing. */
const MAX_COST_FOR_NOTES = 4 * 1024 * 1024

/** Output that comes within so many milliseconds is one event. */
const JOINED_MS = 8

/** Something that happened; `time` in milliseconds from the beginning. */
export type CastEvent =
  | ({ readonly kind: 'output' } & OutputPiece)
  | { readonly kind: 'resize' | 'marker'; readonly time: number; readonly text: string }
  | { readonly kind: 'omitted'; readonly time: number; readonly omission: RecordingOmission }

/** Events that wait to be written. */
export class EventQueue {
  #events: CastEvent[] = []
  #cost = 0

  /** What waits, in bytes: more than those of its output. */
  get cost(): number {
    return this.#cost
  }

  add(event: CastEvent): void {
    if (event.kind !== 'output' && this.#cost > MAX_COST_FOR_NOTES) return
    this.#events.push(event)
    this.#cost += costOf(event)
  }

  /** Takes the oldest, about so much. */
  take(cost: number): CastEvent[] {
    let count = 0
    let taken = 0
    while (count < this.#events.length && taken < cost) taken += costOf(this.#events[count++])
    this.#cost -= taken
    return this.#events.splice(0, count)
  }
}

/** Encodes events, and answers with the bytes of output in them. */
export function encodeEvents(encoder: CastEncoder, events: readonly CastEvent[]): number {
  let bytes = 0
  for (const event of joined(events)) {
    if (event.kind === 'output') {
      bytes += event.data.length
      encoder.output(event.time, event.data, event.stream)
    } else if (event.kind === 'omitted') encoder.omission(event.time, event.omission)
    else encoder.event(event.time, event.kind, event.text)
  }
  return bytes
}

/** Output that belongs together as one event: fewer and longer lines. Its bytes are good until the next one. */
function* joined(events: readonly CastEvent[]): Generator<CastEvent> {
  let parts: OutputPiece[] = []
  const join = (): CastEvent | undefined => {
    const [first] = parts
    if (first === undefined) return undefined
    const data = parts.length === 1 ? first.data : concat(parts)
    parts = []
    return { kind: 'output', ...first, data }
  }
  for (const event of events) {
    const [first] = parts
    const belongs = event.kind === 'output' && event.stream === first?.stream && event.time - first.time < JOINED_MS
    if (!belongs) {
      const whole = join()
      if (whole !== undefined) yield whole
    }
    if (event.kind === 'output') parts.push(event)
    else yield event
  }
  const whole = join()
  if (whole !== undefined) yield whole
}

/** One for all, because it is read at once; longer output than this is rare. */
const joint = Buffer.allocUnsafe(256 * 1024)

function concat(parts: readonly OutputPiece[]): Uint8Array {
  const length = parts.reduce((sum, { data }) => sum + data.length, 0)
  const whole = length <= joint.length ? joint.subarray(0, length) : Buffer.allocUnsafe(length)
  let at = 0
  for (const { data } of parts) {
    whole.set(data, at)
    at += data.length
  }
  return whole
}

function costOf(event: CastEvent | undefined): number {
  return event === undefined ? 0 : EVENT_COST + (event.kind === 'output' ? event.data.length : 0)
}
