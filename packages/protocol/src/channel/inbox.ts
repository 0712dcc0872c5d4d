import type { TransportClose, TransportHandlers } from './transport.ts'

/**
 * Keeps what a socket delivers until its transport is started: a socket begins to deliver when it opens, which may be
 * before anybody had the chance to listen. What was kept is delivered in order, after `start` has returned.
 */
export class Inbox implements TransportHandlers {
  #handlers: TransportHandlers | undefined
  #early: ((handlers: TransportHandlers) => void)[] | undefined = []

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers
    queueMicrotask(() => {
      const early = this.#early ?? []
      this.#early = undefined
      for (const deliver of early) deliver(handlers)
    })
  }

  message(message: Uint8Array): void {
    this.#deliver((handlers) => handlers.message(message))
  }

  text(): void {
    this.#deliver((handlers) => handlers.text())
  }

  closed(close: TransportClose): void {
    this.#deliver((handlers) => handlers.closed(close))
  }

  #deliver(deliver: (handlers: TransportHandlers) => void): void {
    if (this.#early !== undefined) this.#early.push(deliver)
    else if (this.#handlers !== undefined) deliver(this.#handlers)
  }
}
