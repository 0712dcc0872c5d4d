import type { Channel } from '../channel.ts'
import { Connection } from '../connection.ts'
import { createMemoryTransports } from '../memory-transport.ts'
import type { Transport } from '../transport.ts'

/** Both ends of one connection, ready; closed together. */
export interface Pair extends AsyncDisposable {
  readonly dialer: Connection
  readonly acceptor: Connection
}

export interface PairOptions {
  /** Takes the channels that the dialer opens. */
  onChannel?(channel: Channel): void
  /** Puts something between a connection and its transport. */
  wrap?(transport: Transport, role: 'dialer' | 'acceptor'): Transport
}

/** Makes a pair over some transport: the same tests run on every one. */
export type MakePair = (options?: PairOptions) => Promise<Pair>

/** What every channel of a test is opened with. */
export const someCall = { method: 'facts', target: 'mac_1', params: {}, callId: 'call_0001' }

export async function makeMemoryPair(options: PairOptions = {}): Promise<Pair> {
  return connectPair(...createMemoryTransports(), options)
}

/** Shakes hands over two connected transports. */
export async function connectPair(left: Transport, right: Transport, options: PairOptions = {}): Promise<Pair> {
  const acceptor = new Connection(options.wrap?.(right, 'acceptor') ?? right, {
    role: 'acceptor',
    hello: () => ({ time: 1, relayId: 'rly_1' }),
    onChannel: (channel) => (channel.open.method === 'barrier' ? answerBarrier(channel) : options.onChannel?.(channel)),
  })
  const dialer = new Connection(options.wrap?.(left, 'dialer') ?? left, { role: 'dialer', hello: () => ({}) })
  await Promise.all([dialer.ready, acceptor.ready])
  return {
    dialer,
    acceptor,
    async [Symbol.asyncDispose]() {
      dialer.close()
      await Promise.all([dialer.closed, acceptor.closed])
    },
  }
}

/** Resolves when all that was sent before has arrived at the acceptor, and all it answered has arrived back. */
export async function barrier(pair: Pair): Promise<void> {
  const channel = pair.dialer.open({ ...someCall, method: 'barrier' })
  await channel.end()
  await channel.finished
  await turn()
}

/** One turn of the event loop: all that memory transports carry has arrived. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Whether a promise has settled by now. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending')
  const settled = promise.then(
    () => undefined,
    () => undefined,
  )
  return (await Promise.race([settled, turn().then(() => pending)])) === pending
}

function answerBarrier(channel: Channel): void {
  channel.accept()
  void channel.finished.then(() => channel.end())
}
