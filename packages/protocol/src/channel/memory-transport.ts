import type { Transport, TransportHandlers } from './transport.ts'

/** Two ends of a transport in this process. Messages are delivered in order, each in a microtask of its own. */
export function createMemoryTransports(): [Transport, Transport] {
  const left = new MemoryTransport()
  const right = new MemoryTransport()
  left.peer = right
  right.peer = left
  return [left, right]
}

class MemoryTransport implements Transport {
  peer: MemoryTransport | undefined
  bufferedBytes = 0
  #handlers: TransportHandlers | undefined
  #waiting: (() => void)[] = []
  #closed = false
  /** The peer has terminated: what is still under way is lost. */
  #isCut = false

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers
    for (const deliver of this.#waiting.splice(0)) queueMicrotask(deliver)
  }

  send(message: Uint8Array): void {
    if (this.#closed) return
    this.bufferedBytes += message.length
    const peer = this.peer
    peer?.deliver(() => {
      this.bufferedBytes -= message.length
      peer.arrive(message)
    })
  }

  close(code: number, reason: string): void {
    if (this.#closed) return
    this.#closed = true
    this.deliver(() => this.#handlers?.closed({ code, reason }))
    const peer = this.peer
    peer?.deliver(() => {
      if (peer.#closed) return
      peer.#closed = true
      peer.#handlers?.closed({ code, reason })
    })
  }

  terminate(): void {
    if (this.#closed) return
    this.close(1006, 'terminated')
    if (this.peer !== undefined) this.peer.#isCut = true
  }

  arrive(message: Uint8Array): void {
    if (!this.#closed && !this.#isCut) this.#handlers?.message(message)
  }

  deliver(deliver: () => void): void {
    if (this.#handlers === undefined) this.#waiting.push(deliver)
    else queueMicrotask(deliver)
  }
}
