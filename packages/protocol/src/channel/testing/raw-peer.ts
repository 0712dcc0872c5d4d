import type { CmdopError } from '../../errors.ts'
import type { Channel } from '../channel.ts'
import { Connection } from '../connection.ts'
import { type Frame, decodeFrame, decodeReset, encodeJson, frameTypes } from '../frame.ts'
import { createMemoryTransports } from '../memory-transport.ts'
import type { Transport, TransportClose } from '../transport.ts'
import { someCall, turn } from './pairs.ts'

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

  close(reason: string): void {
    this.#transport.close(4000, reason)
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

/** A raw peer that has dialled an acceptor of ours, and what it got from it. */
export async function dialRaw(
  onChannel?: (channel: Channel) => void,
): Promise<{ peer: RawPeer; connection: Connection }> {
  const { peer, connection } = startRaw('acceptor', onChannel)
  peer.hello()
  await connection.ready
  return { peer, connection }
}

/** A raw peer that a dialer of ours has connected to. */
export async function acceptRaw(): Promise<{ peer: RawPeer; connection: Connection }> {
  const { peer, connection } = startRaw('dialer')
  peer.hello()
  await connection.ready
  await turn()
  return { peer, connection }
}

export function startRaw(
  role: 'dialer' | 'acceptor',
  onChannel?: (channel: Channel) => void,
): { peer: RawPeer; connection: Connection } {
  const [left, right] = createMemoryTransports()
  const connection = new Connection(right, {
    role,
    hello: () => ({}),
    ...(onChannel === undefined ? {} : { onChannel }),
  })
  return { peer: new RawPeer(left), connection }
}

export function resetOf(peer: RawPeer, channel: number): CmdopError | undefined {
  const [frame] = peer.of(channel, frameTypes.reset)
  return frame === undefined ? undefined : decodeReset(frame.payload)
}
