import type { SessionEvent } from './session-events.ts'

type Notice = Extract<SessionEvent, { type: 'resized' | 'lease' | 'input-refused' | 'connection' }>

/**
 * What the machine said beside the output, until it is read. Only the latest of each kind waits, so a reader that does not
 * come costs no memory; refused input is added up.
 */
export class Notices {
  #waiting: Notice[] = []

  add(notice: Notice): void {
    const index = this.#waiting.findIndex(({ type }) => type === notice.type)
    const earlier = this.#waiting[index]
    if (earlier === undefined) this.#waiting.push(notice)
    else this.#waiting[index] = merged(earlier, notice)
  }

  take(): Notice | undefined {
    return this.#waiting.shift()
  }
}

function merged(earlier: Notice, notice: Notice): Notice {
  if (earlier.type !== 'input-refused' || notice.type !== 'input-refused') return notice
  return { ...notice, bytes: earlier.bytes + notice.bytes }
}
