import type { Attachment, SessionEvent } from '@cmdop/core'

type Kind = SessionEvent['type']
type Event<Type extends Kind> = Extract<SessionEvent, { type: Type }>

/** An attachment whose events are kept as they are read. */
export interface Watch {
  readonly events: readonly SessionEvent[]
  /** All output and snapshots so far, as text. */
  readonly text: string
  /** Only output. */
  readonly output: Buffer
  /** Reads on until the text so far, from the last call's match on, has this. */
  until(text: string): Promise<void>
  /** Reads on until there is an event of this type, and gives the first one that was not given before. */
  next<Type extends Kind>(type: Type): Promise<Event<Type>>
  /** Reads to the end. */
  end(): Promise<Event<'end'>>
}

/** Milliseconds without anything after which what is waited for does not come. */
const SILENT_MS = 20_000

/** Reads an attachment step by step. */
export function watch(attachment: Attachment): Watch {
  const iterator = attachment[Symbol.asyncIterator]()
  const events: SessionEvent[] = []
  const given = new Set<SessionEvent>()
  const decoder = new TextDecoder()
  let text = ''
  let seen = 0
  const shown = () => `It showed: ${JSON.stringify(text.slice(-2000))}`
  const step = async (what: string) => {
    const silent = setTimeout(() => late.reject(new Error(`No ${what} came. ${shown()}`)), SILENT_MS)
    const late = Promise.withResolvers<never>()
    const { done, value } = await Promise.race([iterator.next(), late.promise]).finally(() => clearTimeout(silent))
    if (done === true) throw new Error(`The session ended before there was ${what}. ${shown()}`)
    events.push(value)
    if (value.type === 'output' || value.type === 'snapshot') text += decoder.decode(value.data, { stream: true })
    return value
  }
  const next = async <Type extends Kind>(type: Type): Promise<Event<Type>> => {
    for (;;) {
      const found = events.find((event): event is Event<Type> => event.type === type && !given.has(event))
      if (found !== undefined) {
        given.add(found)
        return found
      }
      await step(type)
    }
  }
  return {
    events,
    get text() {
      return text
    },
    get output() {
      return Buffer.concat(events.flatMap((event) => (event.type === 'output' ? [event.data] : [])))
    },
    until: async (wanted) => {
      for (;;) {
        const at = text.indexOf(wanted, seen)
        if (at !== -1) {
          seen = at + wanted.length
          return
        }
        await step(wanted)
      }
    },
    next,
    end: () => next('end'),
  }
}
