import { type Frame, decodeFrame, encodeJson, frameTypes } from '../src/channel/frame.ts'
import type { Transport, TransportClose } from '../src/channel/transport.ts'
import { someCall } from './pairs.ts'

/** A peer that keeps no rule: it sends what a test tells it, and collects what it is sent. */
export class RawPeer {
  readonly frames: Frame[] = []
  readonly closed: Promise<TransportClose>
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
    const closed = Promise.withResolvers<TransportClose>()
    this.closed = closed.promise
    transport.start({
      message: (message) => this.frames.push(decodeFrame(message)),
      text: () => {},
      closed: closed.resolve,
    })
  }

  send(message: Uint8Array): void {
    this.#transport.send(message)
  }

  hello(content: object = { version: 1 }): void {
    this.send(encodeJson(frameTypes.hello, 0, content))
  }

  open(channel: number, content: object = {}): void {
    this.send(encodeJson(frameTypes.open, channel, { ...someCall, window: 4096, ...content }))
  }

  /** The frames of a channel, of one type. */
  of(channel: number, type: Frame['type']): Frame[] {
    return this.frames.filter((frame) => frame.channel === channel && frame.type === type)
  }
}
