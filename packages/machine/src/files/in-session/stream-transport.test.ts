import { PassThrough } from 'node:stream'
import { type Channel, Connection, MAX_FRAME_BYTES, type TransportClose } from '@cmdop/protocol'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createStreamTransport } from './stream-transport.ts'

/** What arrives of these chunks, and how it ends. */
async function receive(chunks: readonly Uint8Array[]): Promise<{ messages: string[]; close: TransportClose }> {
  const input = new PassThrough()
  const messages: string[] = []
  const closed = Promise.withResolvers<TransportClose>()
  createStreamTransport({ input, output: new PassThrough() }).start({
    message: (message) => messages.push(Buffer.from(message).toString('hex')),
    text: () => {},
    closed: closed.resolve,
  })
  for (const chunk of chunks) if (chunk.length > 0) input.write(chunk)
  input.end()
  return { messages, close: await closed.promise }
}

function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(message.length)
  return Buffer.concat([head, message])
}

test('messages are whole and in order, however their bytes arrive', async () => {
  const messages = fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(messages, fc.array(fc.nat({ max: 60 }), { maxLength: 40 }), async (sent, cuts) => {
      let rest = Buffer.concat(sent.map(framed))
      const chunks: Buffer[] = []
      for (const cut of cuts) {
        chunks.push(rest.subarray(0, cut))
        rest = rest.subarray(cut)
      }
      const received = await receive([...chunks, rest])
      expect(received.messages).toEqual(sent.map((message) => Buffer.from(message).toString('hex')))
    }),
    { numRuns: 200 },
  )
})

test.each([0, MAX_FRAME_BYTES + 1])('a message that says it has %i bytes ends it', async (length) => {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(length)
  const { messages, close } = await receive([framed(Buffer.from('a')), head, framed(Buffer.from('b'))])
  expect(messages).toEqual(['61'])
  expect(close).toMatchObject({ code: 1009, reason: expect.stringMatching(/^protocol: /) })
})

test('both ends of a connection talk over it, and know when the other one is gone', async () => {
  const [there, back] = [new PassThrough(), new PassThrough()]
  const arrived = Promise.withResolvers<Channel>()
  const acceptor = new Connection(createStreamTransport({ input: there, output: back }), {
    role: 'acceptor',
    hello: () => ({}),
    onChannel: arrived.resolve,
  })
  const dialer = new Connection(createStreamTransport({ input: back, output: there }), {
    role: 'dialer',
    hello: () => ({}),
  })
  await dialer.ready
  const channel = dialer.open({ method: 'facts', target: 'mch_one', params: {}, callId: 'call_0001' })
  const answer = await arrived.promise
  answer.accept()
  await channel.accepted
  dialer.close()
  expect(await acceptor.closed).toMatchObject({ code: 'connection' })
  await expect(answer.over).rejects.toMatchObject({ code: 'connection' })
})
