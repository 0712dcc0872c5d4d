import { describe, expect, test } from 'vitest'
import type { Channel } from '../channel.ts'
import { INITIAL_WINDOW, MAX_TRAILER_BYTES, MAX_WINDOW } from '../limits.ts'
import { CmdopError } from '../../errors.ts'
import { checkStreams } from './channel-properties.ts'
import { Ledger } from './ledger.ts'
import { barrier, isPending, type MakePair, type Pair, type PairOptions, someCall } from './pairs.ts'

const piece = new Uint8Array(64 * 1024)

/** What channels do over any transport. */
export function describeTransport(name: string, makePair: MakePair, numRuns: number): void {
  describe(`channels over ${name}`, () => {
    test('carry what is written, whole and in order, within what was granted', async () => {
      await checkStreams(makePair, numRuns)
    })

    test('stop a sender whose reader does not read, and go on when it does', async () => {
      const ledger = new Ledger()
      const opened = Promise.withResolvers<Channel>()
      await using pair = await makePair({ onChannel: opened.resolve, wrap: watchDialer(ledger) })
      const channel = pair.dialer.open(someCall)
      const sent = Array.from({ length: 64 }, () => channel.send(1, piece))
      void channel.end()
      const answer = await opened.promise
      answer.accept()
      await barrier(pair)
      expect(await isPending(sent[1] ?? Promise.resolve())).toBe(true)
      expect(ledger.sent).toBeGreaterThan(0)
      expect(ledger.sent).toBeLessThanOrEqual(INITIAL_WINDOW)
      expect(await countBytes(answer)).toBe(64 * piece.length)
      await Promise.all(sent)
    })

    test('give the trailer once all that was sent is read', async () => {
      await using ends = await call(makePair)
      const { pair, channel, answer } = ends
      await answer.send(1, piece.subarray(0, 100))
      await answer.end({ exitCode: 0 })
      await barrier(pair)
      expect(await isPending(channel.finished)).toBe(true)
      expect(await countBytes(channel)).toBe(100)
      expect(await channel.finished).toEqual({ exitCode: 0 })
    })

    test('refuse a trailer over its limit and stay open', async () => {
      await using ends = await call(makePair)
      const { channel, answer } = ends
      const tooLarge = answer.end('x'.repeat(MAX_TRAILER_BYTES))
      await expect(tooLarge).rejects.toMatchObject({ code: 'frame_too_large' })
      await answer.send(1, piece.subarray(0, 3))
      await answer.end('x'.repeat(MAX_TRAILER_BYTES - 2))
      expect(await countBytes(channel)).toBe(3)
      expect(await channel.finished).toHaveLength(MAX_TRAILER_BYTES - 2)
    })

    test.each([
      ['who opened', true],
      ['who accepted', false],
    ])('are over for both sides when %s resets them', async (_who, isOpener) => {
      await using ends = await call(makePair)
      const { pair, channel, answer } = ends
      const [here, there] = isOpener ? [channel, answer] : [answer, channel]
      const reading = expect(countBytes(there)).rejects.toMatchObject({ code: 'cancelled', message: 'Enough.' })
      here.reset(new CmdopError('cancelled', 'Enough.'))
      here.reset(new CmdopError('server', 'Only the first one counts.'))
      await reading
      for (const side of [here, there]) {
        await expect(side.finished).rejects.toMatchObject({ code: 'cancelled' })
        for (const data of [piece, Uint8Array.of(1)]) {
          await expect(side.send(1, data)).rejects.toMatchObject({ code: 'cancelled' })
        }
        await expect(countBytes(side)).rejects.toMatchObject({ code: 'cancelled' })
      }
      await barrier(pair)
    })

    test.each([
      ['connection', true],
      ['connection', false],
      ['rate_limit', true],
      ['permission', false],
    ] as const)('are refused with the code of the peer: %s, retryable %s', async (code, retryable) => {
      const refusal = new CmdopError(code, 'Not this one.', { idempotent: retryable, details: { reason: 1 } })
      await using pair = await makePair({ onChannel: (channel) => channel.reset(refusal) })
      const { accepted } = pair.dialer.open(someCall)
      await expect(accepted).rejects.toMatchObject({
        code,
        retryable,
        message: 'Not this one.',
        details: { reason: 1 },
      })
    })

    test('keep what arrived whole readable after the connection is lost', async () => {
      await using ends = await call(makePair)
      const { pair, channel, answer } = ends
      await answer.send(1, piece.subarray(0, 1000))
      await answer.end('done')
      await barrier(pair)
      pair.acceptor.close()
      await pair.dialer.closed
      expect(await countBytes(channel)).toBe(1000)
      expect(await channel.finished).toBe('done')
    })

    test('fail on both sides when the connection ends under them', async () => {
      await using ends = await call(makePair)
      const { pair, channel, answer } = ends
      const reading = expect(countBytes(channel)).rejects.toMatchObject({ code: 'connection' })
      const writing = Array.from({ length: 8 }, () => channel.send(1, piece))
      const failed = writing.map((sent) => expect(sent).rejects.toMatchObject({ code: 'connection' }))
      await barrier(pair)
      pair.acceptor.close()
      await Promise.all([reading, ...failed])
      await expect(answer.send(1, piece)).rejects.toMatchObject({ code: 'cancelled' })
      expect(() => pair.dialer.open(someCall)).toThrow('closed')
    })

    test('say why the connection was closed, however long the reason', async () => {
      await using pair = await makePair()
      pair.acceptor.close(new CmdopError('auth', `Der Schlüssel ist ungültig: ${'ü'.repeat(200)}`))
      expect(await pair.dialer.closed).toMatchObject({ code: 'auth', message: expect.stringMatching(/^Der Schlüssel/) })
    })

    test('send all that was queued before the end, and nothing after it', async () => {
      await using ends = await call(makePair)
      const { channel, answer } = ends
      const queued = Array.from({ length: 20 }, () => answer.send(1, piece))
      const ended = answer.end()
      const late = expect(answer.send(1, piece)).rejects.toMatchObject({ code: 'conflict' })
      expect(await countBytes(channel)).toBe(20 * piece.length)
      await Promise.all([...queued, ended, late])
    })

    test('let a control message pass content that nobody reads', async () => {
      await using ends = await call(makePair)
      const { pair, channel, answer } = ends
      const taken = Promise.withResolvers<unknown>()
      answer.onControl = taken.resolve
      const blocked = channel.send(1, new Uint8Array(MAX_WINDOW))
      await barrier(pair)
      expect(await isPending(blocked)).toBe(true)
      await channel.control({ type: 'cancel' })
      expect(await taken.promise).toEqual({ type: 'cancel' })
      void channel.end()
      expect(await countBytes(answer)).toBe(MAX_WINDOW)
    })

    test('keep control messages in order, also without credit', async () => {
      const taken: unknown[] = []
      const opened = Promise.withResolvers<Channel>()
      await using pair = await makePair({ onChannel: opened.resolve })
      const channel = pair.dialer.open(someCall)
      const answer = await opened.promise
      answer.onControl = (message) => taken.push(message)
      const numbers = Array.from({ length: 300 }, (_, index) => index)
      const early = numbers.slice(0, 150).map((number) => channel.control(number))
      answer.accept()
      await channel.accepted
      const late = numbers.slice(150).map((number) => channel.control(number))
      await Promise.all([...early, ...late])
      await channel.end()
      expect(await countBytes(answer)).toBe(0)
      expect(taken).toEqual(numbers)
    })

    test('lose nothing when a reader stops early and another goes on', async () => {
      await using ends = await call(makePair)
      const { channel, answer } = ends
      const writing = send(answer, 3 * MAX_WINDOW)
      let bytes = 0
      for (let isOver = false; !isOver;) {
        isOver = true
        for await (const message of channel) {
          bytes += message.data.length
          isOver = false
          break
        }
      }
      expect(bytes).toBe(3 * MAX_WINDOW)
      await writing
    })

    test('share their messages between two readers, and end for both', async () => {
      await using ends = await call(makePair)
      const { pair, channel, answer } = ends
      const readers = [countBytes(channel), countBytes(channel)]
      await barrier(pair)
      await send(answer, MAX_WINDOW)
      const [one = 0, two = 0] = await Promise.all(readers)
      expect(one + two).toBe(MAX_WINDOW)
    })
  })
}

interface Call extends AsyncDisposable {
  readonly pair: Pair
  readonly channel: Channel
  readonly answer: Channel
}

/** A channel that is accepted, from both sides. */
async function call(makePair: MakePair): Promise<Call> {
  const opened = Promise.withResolvers<Channel>()
  const pair = await makePair({ onChannel: opened.resolve })
  const channel = pair.dialer.open(someCall)
  const answer = await opened.promise
  answer.accept()
  await channel.accepted
  return { pair, channel, answer, [Symbol.asyncDispose]: () => pair[Symbol.asyncDispose]() }
}

async function send(channel: Channel, bytes: number): Promise<void> {
  for (let sent = 0; sent < bytes; sent += piece.length) await channel.send(1, piece)
  await channel.end()
}

/** Reads to the end. */
export async function countBytes(channel: Channel): Promise<number> {
  let bytes = 0
  for await (const message of channel) bytes += message.data.length
  return bytes
}

function watchDialer(ledger: Ledger): NonNullable<PairOptions['wrap']> {
  return (transport, role) => (role === 'dialer' ? ledger.watch(transport) : transport)
}
