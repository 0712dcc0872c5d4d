import type { Channel, SessionNotice } from '@cmdop/protocol'

/**
 * Notices for one participant. Of each kind only the latest waits, so one that does not read costs no more; refused input
 * is added up.
 */
export class Outbox {
  readonly #channel: Channel
  readonly #waiting = new Map<SessionNotice['type'], SessionNotice>()
  #sending = false

  constructor(channel: Channel) {
    this.#channel = channel
  }

  say(notice: SessionNotice): void {
    const earlier = this.#waiting.get(notice.type)
    const bytes =
      earlier?.type === 'input-refused' && notice.type === 'input-refused' ? earlier.bytes + notice.bytes : 0
    this.#waiting.set(notice.type, notice.type === 'input-refused' && bytes > 0 ? { ...notice, bytes } : notice)
    if (!this.#sending) void this.#send()
  }

  async #send(): Promise<void> {
    this.#sending = true
    try {
      for (const [type, notice] of this.#waiting) {
        this.#waiting.delete(type)
        await this.#channel.control(notice)
      }
    } catch {
      // The channel is over, which who serves it sees.
    } finally {
      this.#sending = false
    }
  }
}
