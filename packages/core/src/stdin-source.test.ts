import { type Channel, Connection, createMemoryTransports, ExecStdinEnd, execLanes, MAX_WINDOW } from '@cmdop/protocol'
import { afterEach, describe, expect, test } from 'vitest'
import { StdinSource } from './stdin-source.ts'

const open: Connection[] = []
afterEach(() => {
  for (const connection of open.splice(0)) connection.close()
})

interface TestChannel {
  readonly channel: Channel
  /** Sends all of the source from `offset` on, then ends the channel. */
  readonly sendAll: (source: StdinSource, offset?: number) => Promise<void>
  /** What arrived at the other end until the channel was ended, or `limit` bytes of it. */
  readonly received: Promise<Buffer>
  /** Where stdin was said to end. */
  readonly ends: number[]
}

async function newChannel(limit = Number.POSITIVE_INFINITY): Promise<TestChannel> {
  const ends: number[] = []
  const [near, far] = createMemoryTransports()
  const received = Promise.withResolvers<Buffer>()
  const dialler = new Connection(near, { role: 'dialer', hello: () => ({}) })
  const onChannel = (other: Channel) => {
    other.onControl = (message) => ends.push(ExecStdinEnd.parse(message).bytes)
    other.accept()
    readUntil(other, limit).then(received.resolve, () => {})
  }
  open.push(dialler, new Connection(far, { role: 'acceptor', hello: () => ({}), onChannel }))
  await dialler.ready
  const channel = dialler.open({ method: 'exec', target: 'mch_one', params: {}, callId: 'call_one' })
  await channel.accepted
  const sendAll = async (source: StdinSource, offset = 0) => {
    await source.send(channel, offset)
    await channel.end()
  }
  return { channel, sendAll, received: received.promise, ends }
}

async function readUntil(channel: Channel, limit: number): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const { lane, data } of channel) {
    expect(lane).toBe(execLanes.stdin)
    parts.push(data)
    bytes += data.length
    if (bytes >= limit) break
  }
  return Buffer.concat(parts)
}

async function* pieces(count: number, bytes: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index += 1) yield new Uint8Array(bytes).fill(index)
}

const whole = (count: number, bytes: number) =>
  Buffer.concat(Array.from({ length: count }, (_, index) => new Uint8Array(bytes).fill(index)))

describe('a source of stdin', () => {
  test('is sent whole, and then it is said where it ends', async () => {
    for (const [source, expected] of [
      ['grüße', Buffer.from('grüße')],
      ['', Buffer.alloc(0)],
      [new Uint8Array([1, 2, 3]), Buffer.from([1, 2, 3])],
      [pieces(7, 5), whole(7, 5)],
    ] as const) {
      const { sendAll, received, ends } = await newChannel()
      await sendAll(new StdinSource(source))
      expect(await received).toEqual(expected)
      expect(ends).toEqual([expected.length])
    }
  })

  test('goes on from any byte that can have been under way when the connection was lost', async () => {
    const [count, bytes] = [400, 10_007]
    const all = whole(count, bytes)
    const source = new StdinSource(pieces(count, bytes))
    const first = await newChannel(2_500_000)
    const sending = source.send(first.channel, 0).catch(() => {})
    const before = await first.received
    for (const connection of open.splice(0)) connection.close()
    await sending
    const second = await newChannel()
    const resent = second.sendAll(source, before.length)
    expect(Buffer.compare(Buffer.concat([before, await second.received]), all)).toBe(0)
    await resent
    const third = await newChannel()
    await third.sendAll(source, all.length - MAX_WINDOW)
    expect(Buffer.compare(await third.received, all.subarray(all.length - MAX_WINDOW))).toBe(0)
  })

  test('of very many small pieces is sent in time that grows with their number', async () => {
    const { sendAll, received } = await newChannel()
    const before = process.cpuUsage()
    await sendAll(new StdinSource(pieces(60_000, 3)))
    expect(await received).toHaveLength(180_000)
    // Time of the processor, in microseconds: others may use it, too.
    const { user, system } = process.cpuUsage(before)
    expect(user + system).toBeLessThan(5_000_000)
  })

  test('that throws is told to the sender', async () => {
    const { channel } = await newChannel()
    const broken = async function* () {
      yield new Uint8Array(3)
      throw new Error('broken')
    }
    await expect(new StdinSource(broken()).send(channel, 0)).rejects.toThrow('broken')
  })

  test('is let go when it is not needed, without waiting for it', async () => {
    let isClosed = false
    const source = new StdinSource({
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: async () => {
          isClosed = true
          return { done: true, value: undefined }
        },
      }),
    })
    source.close()
    expect(isClosed).toBe(true)
  })
})
