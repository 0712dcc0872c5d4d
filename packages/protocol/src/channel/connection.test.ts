import { describe, expect, test } from 'vitest'
import { makeMemoryPair, someCall, turn } from './testing/pairs.ts'
import { acceptRaw, dialRaw, resetOf, startRaw } from './testing/raw-peer.ts'
import { countBytes } from './testing/transport-suite.ts'
import { CmdopError } from '../errors.ts'
import type { Channel } from './channel.ts'
import { Connection } from './connection.ts'
import { encodeData, encodeFrame, encodeJson, encodeWindow, frameTypes } from './frame.ts'
import { INITIAL_WINDOW, MAX_TRAILER_BYTES, MAX_WINDOW, MIN_DATA_COST, MIN_WINDOW } from './limits.ts'
import { createMemoryTransports } from './memory-transport.ts'

describe('the handshake', () => {
  test('is begun by who accepted and answered by who dialled, who is given the challenge', async () => {
    const [left, right] = createMemoryTransports()
    const order: string[] = []
    const acceptor = new Connection(right, { role: 'acceptor', hello: () => ({ challenge: 'abc', relayId: 'rly_1' }) })
    const dialer = new Connection(left, {
      role: 'dialer',
      hello: (peer) => {
        order.push(`challenge ${peer?.challenge}`)
        return {}
      },
    })
    void acceptor.ready.then(() => order.push('acceptor is ready'))
    expect(await dialer.ready).toMatchObject({ version: 1, relayId: 'rly_1' })
    await acceptor.ready
    expect(order).toEqual(['challenge abc', 'acceptor is ready'])
    dialer.close()
  })

  test('comes before the first channel', () => {
    const { connection } = startRaw('dialer')
    expect(() => connection.open(someCall)).toThrow(expect.objectContaining({ code: 'unavailable', retryable: true }))
    connection.close()
  })

  test('that fails is told to who waits for it', async () => {
    const { peer, connection } = startRaw('dialer')
    peer.send(encodeFrame(frameTypes.hello, 0, Uint8Array.of(1)))
    await expect(connection.ready).rejects.toMatchObject({ code: 'protocol' })
    expect(await connection.closed).toMatchObject({ code: 'protocol' })
    expect(connection.isClosed).toBe(true)
  })
})

describe('a peer that breaks the rules of a connection', () => {
  const open = (channel: number) => encodeJson(frameTypes.open, channel, { ...someCall, window: MIN_WINDOW })

  test.each([
    ['uses the other side’s ids', [open(2)]],
    ['uses channel 0', [open(0)]],
    ['uses an id again', [open(3), encodeFrame(frameTypes.reset, 3, new Uint8Array()), open(3)]],
    ['goes back in its ids', [open(3), open(1)]],
    ['sends to a channel that was never opened', [encodeData(1, 1, new Uint8Array(1))]],
    ['sends to one of ours that was never opened', [encodeData(2, 1, new Uint8Array(1))]],
    ['sends content on channel 0', [encodeData(0, 1, new Uint8Array(1))]],
    ['says hello again', [encodeJson(frameTypes.hello, 0, { version: 1 })]],
  ])('is closed when it %s', async (_what, messages) => {
    const { peer, connection } = await dialRaw(() => {})
    for (const message of messages) peer.send(message)
    expect(await connection.closed).toMatchObject({ code: 'protocol' })
    expect((await peer.closed).reason).toMatch(/^protocol: Expected/)
  })

  test('has its other channels failed with the reason', async () => {
    const opened = Promise.withResolvers<Channel>()
    const { peer } = await dialRaw(opened.resolve)
    peer.open(1)
    const channel = await opened.promise
    peer.send(encodeData(99, 1, new Uint8Array(1)))
    await expect(channel.finished).rejects.toMatchObject({ code: 'protocol' })
  })
})

describe('a peer that breaks the rules of a channel', () => {
  test.each([
    ['an open that is no JSON', encodeFrame(frameTypes.open, 1, Uint8Array.of(0x7b)), 'protocol'],
    ['an open without a method', encodeJson(frameTypes.open, 1, { target: 'm' }), 'validation'],
    [
      'an open with too small a window',
      encodeJson(frameTypes.open, 1, { ...someCall, window: MIN_WINDOW - 1 }),
      'validation',
    ],
    [
      'an open with too large a window',
      encodeJson(frameTypes.open, 1, { ...someCall, window: MAX_WINDOW + 1 }),
      'validation',
    ],
  ])('loses only that channel: %s', async (_what, message, code) => {
    const { peer, connection } = await dialRaw((channel) => channel.accept())
    peer.send(message)
    peer.open(3)
    await turn()
    expect(resetOf(peer, 1)).toMatchObject({ code })
    expect(peer.of(3, frameTypes.window)).toHaveLength(1)
    connection.close()
  })

  test.each([
    [
      'a second open of a live channel',
      encodeJson(frameTypes.open, 1, { ...someCall, window: MIN_WINDOW }),
      'protocol',
    ],
    ['content without a lane', encodeFrame(frameTypes.data, 1, new Uint8Array()), 'protocol'],
    ['a grant of nothing', encodeFrame(frameTypes.window, 1, new Uint8Array(4)), 'protocol'],
    ['a grant beyond the limit', encodeWindow(1, MAX_WINDOW - MIN_WINDOW + 1), 'flow_control'],
    [
      'a trailer over its limit',
      encodeFrame(frameTypes.end, 1, new Uint8Array(MAX_TRAILER_BYTES + 1).fill(0x31)),
      'protocol',
    ],
    ['a trailer that is no JSON', encodeFrame(frameTypes.end, 1, Uint8Array.of(0xff)), 'protocol'],
  ])('has only that channel reset: %s', async (_what, message, code) => {
    const channels: Channel[] = []
    const { peer, connection } = await dialRaw((channel) => channels.push(channel))
    peer.open(1)
    peer.open(3)
    peer.send(message)
    await turn()
    expect(resetOf(peer, 1)).toMatchObject({ code })
    expect(resetOf(peer, 3)).toBeUndefined()
    await expect(channels[0]?.finished).rejects.toMatchObject({ code })
    expect(connection.isClosed).toBe(false)
    connection.close()
  })

  test('is answered to nothing when it resets without a readable reason', async () => {
    const opened = Promise.withResolvers<Channel>()
    const { peer, connection } = await dialRaw(opened.resolve)
    peer.open(1)
    peer.send(encodeFrame(frameTypes.reset, 1, Uint8Array.of(0xff)))
    await turn()
    await expect((await opened.promise).finished).rejects.toMatchObject({ code: 'protocol' })
    expect(resetOf(peer, 1)).toBeUndefined()
    connection.close()
  })

  test('may not send after its end', async () => {
    const { peer, connection } = await dialRaw((channel) => channel.accept())
    peer.open(1)
    peer.send(encodeFrame(frameTypes.end, 1, new Uint8Array()))
    peer.send(encodeFrame(frameTypes.end, 1, new Uint8Array()))
    peer.open(3)
    peer.send(encodeFrame(frameTypes.end, 3, new Uint8Array()))
    peer.send(encodeData(3, 1, new Uint8Array(1)))
    await turn()
    expect(resetOf(peer, 1)).toMatchObject({ code: 'protocol' })
    expect(resetOf(peer, 3)).toMatchObject({ code: 'protocol' })
    connection.close()
  })
})

describe('a peer that ignores its credit', () => {
  test('has the channel reset with flow_control, and the connection lives on', async () => {
    const channels: Channel[] = []
    const { peer, connection } = await dialRaw((channel) => channels.push(channel))
    peer.open(1)
    peer.open(3)
    for (let sent = 0; sent <= INITIAL_WINDOW; sent += 6000) peer.send(encodeData(1, 1, new Uint8Array(6000)))
    peer.send(encodeData(3, 1, new Uint8Array(10)))
    peer.send(encodeFrame(frameTypes.end, 3, new Uint8Array()))
    await turn()
    expect(resetOf(peer, 1)).toMatchObject({ code: 'flow_control' })
    const [overrun, orderly] = channels
    await expect(overrun?.finished).rejects.toMatchObject({ code: 'flow_control' })
    expect(orderly === undefined ? 0 : await countBytes(orderly)).toBe(10)
    connection.close()
  })

  test('cannot make us hold more small messages than the least cost allows', async () => {
    const opened = Promise.withResolvers<Channel>()
    const { peer, connection } = await dialRaw(opened.resolve)
    peer.open(1)
    for (let i = 0; i < INITIAL_WINDOW / MIN_DATA_COST; i += 1) peer.send(encodeData(1, 1, Uint8Array.of(1)))
    await turn()
    expect(resetOf(peer, 1)).toBeUndefined()
    peer.send(encodeData(1, 1, Uint8Array.of(1)))
    await turn()
    expect(resetOf(peer, 1)).toMatchObject({ code: 'flow_control' })
    connection.close()
  })
})

describe('frames that come late', () => {
  test('to a channel that is over are ignored', async () => {
    const { peer, connection } = await dialRaw((channel) => channel.reset(new CmdopError('conflict', 'Not now.')))
    peer.open(1)
    peer.send(encodeData(1, 1, new Uint8Array(100_000)))
    peer.send(encodeWindow(1, 0xffffffff))
    peer.send(encodeFrame(frameTypes.end, 1, new Uint8Array()))
    peer.send(encodeFrame(frameTypes.reset, 1, new Uint8Array()))
    await turn()
    expect(connection.isClosed).toBe(false)
    expect(peer.of(1, frameTypes.reset)).toHaveLength(1)
    connection.close()
  })

  test('to a channel that we opened and that is over are ignored', async () => {
    const { peer, connection } = await acceptRaw()
    const channel = connection.open(someCall)
    channel.reset(new CmdopError('cancelled', 'No longer needed.'))
    peer.send(encodeWindow(channel.id, 1000))
    await turn()
    expect(connection.isClosed).toBe(false)
    connection.close()
  })
})

describe('a connection', () => {
  test('is disposed of once all its channels have failed', async () => {
    const pair = await makeMemoryPair({ onChannel: (channel) => channel.accept() })
    const channel = pair.dialer.open(someCall)
    await pair.dialer[Symbol.asyncDispose]()
    await expect(channel.accepted).rejects.toMatchObject({ code: 'cancelled' })
    expect(await pair.acceptor.closed).toMatchObject({ code: 'connection', retryable: true })
    await pair[Symbol.asyncDispose]()
  })
})
