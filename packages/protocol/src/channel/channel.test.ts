import { describe, expect, test } from 'vitest'
import { CmdopError } from '../errors.ts'
import type { Channel } from './channel.ts'
import { decodeJson, decodeWindow, encodeData, encodeFrame, encodeJson, encodeWindow, frameTypes } from './frame.ts'
import {
  CONNECTION_WINDOW,
  INITIAL_WINDOW,
  MAX_CHANNELS,
  MAX_CONTROL_BYTES,
  MAX_DATA_BYTES,
  MAX_FRAME_BYTES,
  MAX_WINDOW,
  MIN_WINDOW,
} from './limits.ts'
import { barrier, makeMemoryPair, someCall, turn } from './testing/pairs.ts'
import { acceptRaw, dialRaw, resetOf } from './testing/raw-peer.ts'
import { countBytes, describeTransport } from './testing/transport-suite.ts'

describeTransport('memory', makeMemoryPair, 60)

describe('channels', () => {
  test('are refused when nobody takes them', async () => {
    const { peer, connection } = await dialRaw()
    peer.open(1)
    await turn()
    expect(resetOf(peer, 1)).toMatchObject({ code: 'unsupported' })
    connection.close()
  })

  test('are reset alone when taking them fails', async () => {
    const { peer, connection } = await dialRaw((channel) => {
      if (channel.id === 1) throw new Error('A fault of the handler.')
      channel.accept()
    })
    peer.open(1)
    peer.open(3)
    await turn()
    expect(resetOf(peer, 1)).toMatchObject({ code: 'server', message: 'The call could not be taken.' })
    expect(peer.of(3, frameTypes.window)).toHaveLength(1)
    connection.close()
  })

  test('grant their first credit once, however often they are accepted, and none when they are over', async () => {
    const { peer, connection } = await dialRaw((channel) => {
      channel.accept()
      channel.accept()
      channel.reset(new CmdopError('cancelled', 'Enough.'))
      channel.accept()
    })
    peer.open(1)
    await turn()
    expect(peer.of(1, frameTypes.window)).toHaveLength(1)
    connection.close()
  })

  test('are limited in number, both ways, and an ended one makes room', async () => {
    await using pair = await makeMemoryPair({ onChannel: (channel) => channel.accept() })
    const channels = Array.from({ length: MAX_CHANNELS }, () => pair.dialer.open(someCall))
    expect(() => pair.dialer.open(someCall)).toThrow(expect.objectContaining({ code: 'unavailable', retryable: true }))
    channels[0]?.reset(new CmdopError('cancelled', 'Enough.'))
    await expect(pair.dialer.open(someCall).accepted).resolves.toBeUndefined()

    const { peer, connection } = await dialRaw((channel) => channel.accept())
    for (let i = 0; i <= MAX_CHANNELS; i += 1) peer.open(2 * i + 1)
    await turn()
    expect(resetOf(peer, 2 * MAX_CHANNELS + 1)).toMatchObject({ code: 'unavailable' })
    connection.close()
  })

  test('are granted no more together than a connection may have, and each the least', async () => {
    const { peer, connection } = await dialRaw((channel) => channel.accept())
    for (let i = 0; i < MAX_CHANNELS; i += 1) peer.open(2 * i + 1)
    await turn()
    const grants = peer.frames
      .filter(({ type }) => type === frameTypes.window)
      .map(({ payload }) => decodeWindow(payload))
    expect(grants).toHaveLength(MAX_CHANNELS)
    expect(Math.min(...grants)).toBeGreaterThanOrEqual(MIN_WINDOW)
    expect(grants.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(CONNECTION_WINDOW)
    connection.close()
  })

  test('give their part of the connection’s window back when they are over', async () => {
    const { peer, connection } = await dialRaw((channel) => channel.reset(new CmdopError('cancelled', 'Enough.')))
    for (let i = 0; i < 3 * MAX_CHANNELS; i += 1) peer.open(2 * i + 1)
    await turn()
    connection.close()

    await using pair = await makeMemoryPair({ onChannel: (channel) => channel.accept() })
    for (let i = 0; i < 3 * MAX_CHANNELS; i += 1) {
      const channel = pair.dialer.open(someCall)
      expect(channel.open.window).toBe(INITIAL_WINDOW)
      channel.reset(new CmdopError('cancelled', 'Enough.'))
    }
  })

  test('give it back as soon as the other side has ended and all is read', async () => {
    const { peer, connection } = await acceptRaw()
    for (let i = 0; i < MAX_CHANNELS; i += 1) {
      const channel = connection.open(someCall)
      expect(channel.open.window).toBe(INITIAL_WINDOW)
      peer.send(encodeFrame(frameTypes.end, channel.id, new Uint8Array()))
      await turn()
    }
    connection.close()
  })

  test('that cannot be opened take nothing, no id either', async () => {
    await using pair = await makeMemoryPair({ onChannel: (channel) => channel.accept() })
    for (let i = 0; i < MAX_CHANNELS + 1; i += 1) {
      expect(() => pair.dialer.open({ ...someCall, params: { size: 1n } })).toThrow(
        expect.objectContaining({ code: 'validation' }),
      )
    }
    const params = { text: 'x'.repeat(MAX_FRAME_BYTES) }
    expect(() => pair.dialer.open({ ...someCall, params })).toThrow(
      expect.objectContaining({ code: 'frame_too_large' }),
    )
    const channel = pair.dialer.open(someCall)
    expect(channel).toMatchObject({ id: 1, open: { window: INITIAL_WINDOW } })
    await channel.accepted
  })

  test('that are ended by the other side before it took them are accepted', async () => {
    const { peer, connection } = await acceptRaw()
    const channel = connection.open(someCall)
    peer.send(encodeJson(frameTypes.end, channel.id, { size: 0 }))
    await channel.accepted
    expect(await channel.finished).toEqual({ size: 0 })
    connection.close()
  })

  test('send nothing before they are accepted', async () => {
    const { peer, connection } = await acceptRaw()
    const channel = connection.open(someCall)
    const sent = channel.send(1, new Uint8Array(10))
    await turn()
    expect(peer.of(channel.id, frameTypes.data)).toHaveLength(0)
    peer.send(encodeWindow(channel.id, MIN_WINDOW))
    await sent
    expect(peer.of(channel.id, frameTypes.data)).toHaveLength(1)
    connection.close()
  })

  test('return exactly the credit that was spent, and double what there is', async () => {
    const opened = Promise.withResolvers<Channel>()
    const { peer, connection } = await dialRaw(opened.resolve)
    peer.open(1)
    const costs = 1024
    for (let sent = 0; sent < INITIAL_WINDOW; sent += costs) peer.send(encodeData(1, 1, new Uint8Array(costs - 6)))
    const reader = (await opened.promise)[Symbol.asyncIterator]()
    for (let read = 0; read < INITIAL_WINDOW / 2 - costs; read += costs) await reader.next()
    await turn()
    expect(peer.of(1, frameTypes.window)).toHaveLength(0)
    await reader.next()
    await turn()
    const grants = peer.of(1, frameTypes.window).map(({ payload }) => decodeWindow(payload))
    expect(grants).toEqual([INITIAL_WINDOW / 2 + INITIAL_WINDOW])
    connection.close()
  })

  test('are reset by content over the limit of a frame', async () => {
    const { peer, connection } = await dialRaw((channel) => channel.accept())
    peer.open(1, { window: MAX_WINDOW })
    peer.send(encodeData(1, 1, new Uint8Array(MAX_DATA_BYTES)))
    await turn()
    expect(resetOf(peer, 1)).toBeUndefined()
    peer.send(encodeData(1, 1, new Uint8Array(MAX_DATA_BYTES + 1)))
    await turn()
    expect(resetOf(peer, 1)).toMatchObject({ code: 'frame_too_large' })
    connection.close()
  })

  test('return no credit to a side that has ended', async () => {
    const opened = Promise.withResolvers<Channel>()
    const { peer, connection } = await dialRaw(opened.resolve)
    peer.open(1)
    for (let sent = 0; sent < 60_000; sent += 6000) peer.send(encodeData(1, 1, new Uint8Array(6000)))
    peer.send(encodeFrame(frameTypes.end, 1, new Uint8Array()))
    await turn()
    expect(await countBytes(await opened.promise)).toBe(60_000)
    await turn()
    expect(peer.of(1, frameTypes.window)).toHaveLength(0)
    connection.close()
  })

  test('carry any number of small messages', async () => {
    const count = 20_000
    await using pair = await makeMemoryPair({
      onChannel: (channel) => {
        channel.accept()
        for (let i = 0; i < count; i += 1) void channel.send(1, Uint8Array.of(i))
        void channel.end()
      },
    })
    expect(await countBytes(pair.dialer.open(someCall))).toBe(count)
  })

  test('keep little content without the large buffer it came in', async () => {
    const opened = Promise.withResolvers<Channel>()
    const { peer, connection } = await dialRaw(opened.resolve)
    peer.open(1)
    const small = encodeData(1, 1, Uint8Array.of(1, 2, 3))
    const large = new Uint8Array(64 * 1024)
    large.set(small)
    peer.send(large.subarray(0, small.length))
    peer.send(encodeFrame(frameTypes.end, 1, new Uint8Array()))
    for await (const { data } of await opened.promise) {
      expect([...data]).toEqual([1, 2, 3])
      expect(data.buffer.byteLength).toBeLessThan(1000)
    }
    connection.close()
  })

  test('carry control messages as JSON on lane 0', async () => {
    const { peer, connection } = await acceptRaw()
    const channel = connection.open(someCall)
    peer.send(encodeWindow(channel.id, MIN_WINDOW))
    await channel.control({ type: 'cancel' })
    const [frame] = peer.of(channel.id, frameTypes.data)
    expect(frame?.payload[0]).toBe(0)
    expect(decodeJson(frame?.payload.subarray(1) ?? new Uint8Array())).toEqual({ type: 'cancel' })
    connection.close()
  })

  test('refuse a control message that might be cut', async () => {
    const { peer, connection } = await acceptRaw()
    const channel = connection.open(someCall)
    peer.send(encodeWindow(channel.id, MIN_WINDOW))
    await expect(channel.control('x'.repeat(MAX_CONTROL_BYTES - 1))).rejects.toMatchObject({ code: 'frame_too_large' })
    await channel.control('x'.repeat(MAX_CONTROL_BYTES - 2))
    expect(peer.of(channel.id, frameTypes.data)).toHaveLength(1)
    connection.close()
  })

  test('give control messages ahead of content that is not read, to who asks for it', async () => {
    const taken: unknown[] = []
    const opened = Promise.withResolvers<Channel>()
    const { peer, connection } = await dialRaw((channel) => {
      channel.onControl = (message) => taken.push(message)
      opened.resolve(channel)
    })
    peer.open(1)
    for (let sent = 0; sent < 20_000; sent += 5000) peer.send(encodeData(1, 1, new Uint8Array(5000)))
    const cancel = encodeData(1, 0, new TextEncoder().encode('{"type":"cancel"}'))
    for (let i = 0; i < 1000; i += 1) peer.send(cancel)
    await turn()
    expect(taken).toHaveLength(1000)
    expect(taken[0]).toEqual({ type: 'cancel' })
    peer.send(encodeData(1, 0, Uint8Array.of(0x7b)))
    await expect((await opened.promise).finished).rejects.toMatchObject({ code: 'protocol' })
    connection.close()
  })

  test('end both ways and are then forgotten', async () => {
    const answers: Channel[] = []
    await using pair = await makeMemoryPair({ onChannel: (channel) => answers.push(channel) })
    const channel = pair.dialer.open(someCall)
    await channel.end('up')
    await barrier(pair)
    const [answer] = answers
    expect(await answer?.finished).toBe('up')
    await answer?.end('down')
    expect(await channel.finished).toBe('down')
    await channel.end('again')
    channel.reset(new CmdopError('cancelled', 'Too late.'))
    await expect(channel.send(1, new Uint8Array(1))).rejects.toMatchObject({ code: 'conflict' })
    expect(await channel.finished).toBe('down')
  })
})
