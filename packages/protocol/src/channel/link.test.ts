import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { turn } from './testing/pairs.ts'
import { RawPeer } from './testing/raw-peer.ts'
import { CmdopError } from '../errors.ts'
import { Connection } from './connection.ts'
import { encodeData, encodeFrame, encodeJson, decodeJson, type Frame, frameTypes } from './frame.ts'
import { DEAD_AFTER_MS, HELLO_WITHIN_MS, MAX_BUFFERED_BYTES, MAX_FRAME_BYTES, PING_AFTER_MS } from './limits.ts'
import { LIMITS } from '../messages/hello.ts'
import { Link, type LinkHandlers } from './link.ts'
import { createMemoryTransports } from './memory-transport.ts'
import type { Transport, TransportHandlers } from './transport.ts'

const helloFrame = encodeJson(frameTypes.hello, 0, { version: 1 })

interface Linked {
  readonly link: Link
  readonly peer: RawPeer
  readonly frames: Frame[]
  readonly closed: Promise<CmdopError>
}

function startLink(handlers: Partial<LinkHandlers> = {}): Linked {
  const [left, right] = createMemoryTransports()
  const closed = Promise.withResolvers<CmdopError>()
  const frames: Frame[] = []
  const link = new Link(right, {
    hello: () => {},
    frame: (frame) => frames.push(frame),
    closed: closed.resolve,
    ...handlers,
  })
  return { link, peer: new RawPeer(left), frames, closed: closed.promise }
}

async function startOpenLink(handlers: Partial<LinkHandlers> = {}): Promise<Linked> {
  const linked = startLink(handlers)
  linked.peer.send(helloFrame)
  await turn()
  return linked
}

describe('the handshake of a link', () => {
  test.each([2, 7])('refuses version %i with `unsupported`, whatever else such a hello holds', async (version) => {
    const { peer, closed } = startLink()
    peer.hello({ version, machine: 'a string, in that version', time: [] })
    expect(await closed).toMatchObject({ code: 'unsupported', message: expect.stringContaining(`speaks ${version}`) })
    expect((await peer.closed).reason).toMatch(/^unsupported: /)
  })

  test.each([{}, { version: '1' }, { version: 0 }, [], { version: 1, challenge: 5 }])(
    'refuses the hello %j',
    async (content) => {
      const { peer, closed } = startLink()
      peer.hello(content)
      expect(await closed).toMatchObject({ code: 'protocol' })
    },
  )

  test('says what it takes at most, and refuses a peer that takes less with `unsupported`', async () => {
    const { peer, link, closed } = startLink()
    link.sendHello({})
    peer.hello({ version: 1, limits: { ...LIMITS, maxFrameBytes: 4096 } })
    expect(await closed).toMatchObject({ code: 'unsupported', message: expect.stringContaining('maxFrameBytes') })
    expect(peer.frames[0]).toMatchObject({ type: frameTypes.hello })
    expect(decodeJson(peer.frames[0]?.payload ?? new Uint8Array())).toMatchObject({ version: 1, limits: LIMITS })
  })

  test('lets a newer peer add to its hello', async () => {
    const { peer, link } = startLink()
    peer.hello({ version: 1, added: true })
    await turn()
    expect(link.isClosed).toBe(false)
  })

  test.each([
    ['a second hello', [helloFrame, helloFrame]],
    ['content before the hello', [encodeData(1, 1, new Uint8Array(1))]],
    ['a ping before the hello', [encodeFrame(frameTypes.ping, 0, new Uint8Array())]],
    ['a pong before the hello', [encodeFrame(frameTypes.pong, 0, new Uint8Array())]],
  ])('closes with `protocol` on %s', async (_what, messages) => {
    const { peer, closed } = startLink()
    for (const message of messages) peer.send(message)
    expect(await closed).toMatchObject({ code: 'protocol' })
  })

  test.each([
    [new CmdopError('auth', 'The key is unknown.'), 'auth'],
    [new Error('A fault.'), 'server'],
  ])('closes with the error of a handler that throws or rejects: %s', async (error, code) => {
    const throws = await startOpenLink({
      hello: () => {
        throw error
      },
    })
    expect(await throws.closed).toMatchObject({ code })
    const rejects = await startOpenLink({
      hello: async () => {
        throw error
      },
    })
    expect(await rejects.closed).toMatchObject({ code })
  })
})

describe('a link', () => {
  test.each([
    ['an unknown type', Uint8Array.of(9, 0, 0, 0, 1), 'protocol'],
    ['too few bytes', Uint8Array.of(3, 0), 'protocol'],
    ['more than a frame may have', new Uint8Array(MAX_FRAME_BYTES + 1).fill(3), 'frame_too_large'],
    ['too large a ping', encodeFrame(frameTypes.ping, 0, new Uint8Array(17)), 'protocol'],
  ])('closes on a message of %s, and tells the peer', async (_what, message, code) => {
    const { peer, closed, frames } = await startOpenLink()
    peer.send(message)
    peer.send(encodeData(1, 1, new Uint8Array(1)))
    expect(await closed).toMatchObject({ code })
    await turn()
    expect(frames).toEqual([])
    expect((await peer.closed).reason).toMatch(new RegExp(`^${code}: Expected`))
  })

  test('closes on a text message', async () => {
    const transport = new SlowTransport()
    const closed = Promise.withResolvers<CmdopError>()
    const link = new Link(transport, { hello: () => {}, frame: () => {}, closed: closed.resolve })
    transport.handlers?.text()
    expect(link.isClosed).toBe(true)
    expect(await closed.promise).toMatchObject({ code: 'protocol' })
  })

  test('closes when a frame cannot be handled', async () => {
    const { peer, closed } = await startOpenLink({
      frame: () => {
        throw new Error('A fault.')
      },
    })
    peer.send(encodeData(1, 1, new Uint8Array(1)))
    expect(await closed).toMatchObject({ code: 'server', cause: expect.objectContaining({ message: 'A fault.' }) })
  })

  test('answers a ping with its payload', async () => {
    const { peer } = await startOpenLink()
    peer.send(encodeFrame(frameTypes.ping, 0, Uint8Array.of(1, 2, 3)))
    await turn()
    expect(peer.of(0, frameTypes.pong)).toMatchObject([{ payload: Uint8Array.of(1, 2, 3) }])
  })

  test('tells its end once, and nothing after it', async () => {
    const ends: string[] = []
    const { link, peer, frames } = await startOpenLink({ closed: (error) => ends.push(error.code) })
    link.close(new CmdopError('cancelled', 'Enough.'))
    link.close(new CmdopError('server', 'Again.'))
    link.send(helloFrame)
    link.check(Date.now() + 1e9)
    peer.send(encodeData(1, 1, new Uint8Array(1)))
    await turn()
    expect(ends).toEqual(['cancelled'])
    expect(frames).toEqual([])
  })

  test.each([
    ['auth: The key was revoked.', 'auth', false],
    ['unsupported: Upgrade.', 'unsupported', false],
    ['slow_peer: Too slow.', 'connection', true],
    ['', 'connection', true],
  ])('understands the reason %j of a peer', async (reason, code, retryable) => {
    const { peer, closed } = await startOpenLink()
    peer.close(reason)
    expect(await closed).toMatchObject({ code, retryable })
  })
})

describe('a silent peer', () => {
  test('that never says hello is closed after its time', async () => {
    const { link, closed } = startLink()
    const start = link.heardAt
    link.check(start + HELLO_WITHIN_MS - 1)
    expect(link.isClosed).toBe(false)
    link.check(start + HELLO_WITHIN_MS)
    expect(await closed).toMatchObject({ code: 'connection', retryable: true })
  })

  test('is pinged once, and closed when it stays silent', async () => {
    const { link, peer, closed } = await startOpenLink()
    const start = link.heardAt
    link.check(start + PING_AFTER_MS - 1)
    await turn()
    expect(peer.of(0, frameTypes.ping)).toHaveLength(0)
    link.check(start + PING_AFTER_MS)
    link.check(start + PING_AFTER_MS + 1000)
    await turn()
    expect(peer.of(0, frameTypes.ping)).toHaveLength(1)
    link.check(start + DEAD_AFTER_MS - 1)
    expect(link.isClosed).toBe(false)
    link.check(start + DEAD_AFTER_MS)
    expect(await closed).toMatchObject({ code: 'connection', retryable: true })
    await peer.closed
  })

  test('that answers is pinged again at the next silence', async () => {
    const { link, peer } = await startOpenLink()
    link.check(link.heardAt + PING_AFTER_MS)
    peer.send(encodeFrame(frameTypes.pong, 0, new Uint8Array()))
    await turn()
    link.check(link.heardAt + PING_AFTER_MS)
    await turn()
    expect(peer.of(0, frameTypes.ping)).toHaveLength(2)
  })

  describe('of a connection', () => {
    beforeEach(() => {
      vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] })
    })
    afterEach(() => {
      vi.useRealTimers()
    })

    test('is noticed by the connection itself, whose timer ends with it', async () => {
      const [left, right] = createMemoryTransports()
      const peer = new RawPeer(left)
      const connection = new Connection(right, { role: 'acceptor', hello: () => ({}) })
      peer.hello()
      await connection.ready
      vi.advanceTimersByTime(DEAD_AFTER_MS - 1000)
      expect(connection.isClosed).toBe(false)
      vi.advanceTimersByTime(1000)
      expect(await connection.closed).toMatchObject({ code: 'connection' })
      expect(vi.getTimerCount()).toBe(0)
    })
  })
})

describe('a peer that never reads', () => {
  test('is closed with `slow_peer` when more waits for it than it could have asked for', async () => {
    const transport = new SlowTransport()
    const closed = Promise.withResolvers<CmdopError>()
    const link = new Link(transport, { hello: () => {}, frame: () => {}, closed: closed.resolve })
    const message = encodeData(1, 1, new Uint8Array(64 * 1024))
    const most = Math.floor(MAX_BUFFERED_BYTES / message.length)
    for (let i = 0; i < most; i += 1) link.send(message)
    expect(link.isClosed).toBe(false)
    link.send(message)
    expect(await closed.promise).toMatchObject({ code: 'slow_peer' })
    expect(transport.isTerminated).toBe(true)
    link.send(message)
    expect(transport.bufferedBytes).toBe((most + 1) * message.length)
  })

  test('cannot make us keep answers to its pings without a bound', async () => {
    const transport = new SlowTransport()
    const closed = Promise.withResolvers<CmdopError>()
    const link = new Link(transport, { hello: () => {}, frame: () => {}, closed: closed.resolve })
    transport.handlers?.message(helloFrame)
    const ping = encodeFrame(frameTypes.ping, 0, new Uint8Array(16))
    for (let i = 0; !link.isClosed; i += 1) {
      if (i * ping.length > 2 * MAX_BUFFERED_BYTES) expect.fail('The link still answers.')
      transport.handlers?.message(ping)
    }
    expect(await closed.promise).toMatchObject({ code: 'slow_peer' })
  })

  test('fails every channel of the connection, whose writers do not hang', async () => {
    const transport = new SlowTransport()
    const connection = new Connection(transport, { role: 'dialer', hello: () => ({}) })
    transport.handlers?.message(helloFrame)
    await connection.ready
    const channel = connection.open({ method: 'facts', target: 'mac_1', params: {}, callId: 'call_0001' })
    const writing = expect(channel.send(1, new Uint8Array(1e6))).rejects.toMatchObject({ code: 'slow_peer' })
    const ping = encodeFrame(frameTypes.ping, 0, new Uint8Array(16))
    while (!connection.isClosed) transport.handlers?.message(ping)
    await writing
    await expect(channel.accepted).rejects.toMatchObject({ code: 'slow_peer' })
    expect(await connection.closed).toMatchObject({ code: 'slow_peer' })
  })
})

/** A transport to a peer that takes nothing: all that is sent stays. */
class SlowTransport implements Transport {
  bufferedBytes = 0
  isTerminated = false
  handlers: TransportHandlers | undefined

  start(handlers: TransportHandlers): void {
    this.handlers = handlers
  }

  send(message: Uint8Array): void {
    this.bufferedBytes += message.length
  }

  close(): void {}

  terminate(): void {
    this.isTerminated = true
  }
}
