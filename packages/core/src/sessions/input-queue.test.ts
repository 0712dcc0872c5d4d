import { CmdopError } from '@cmdop/protocol'
import { expect, test } from 'vitest'
import { InputQueue, MAX_QUEUED_INPUT_BYTES } from './input-queue.ts'

const bytes = (text: string) => Buffer.from(text)

test('what is written is taken in order, and a write resolves when the next piece is asked for', async () => {
  const queue = new InputQueue()
  const source = queue[Symbol.asyncIterator]()
  const order: string[] = []
  const writes = [
    queue.write(bytes('one')).then(() => order.push('one')),
    queue.write(bytes('two')).then(() => order.push('two')),
  ]
  expect((await source.next()).value).toEqual(bytes('one'))
  expect(order).toEqual([])
  expect((await source.next()).value).toEqual(bytes('two'))
  await writes[0]
  expect(order).toEqual(['one'])
  const third = source.next()
  await writes[1]
  queue.write(bytes('three')).catch(() => {})
  expect((await third).value).toEqual(bytes('three'))
})

test('input that waits is bounded: more is refused, and one piece of any size is taken', async () => {
  const queue = new InputQueue()
  queue.write(new Uint8Array(MAX_QUEUED_INPUT_BYTES + 1)).catch(() => {})
  await expect(queue.write(bytes('x'))).rejects.toMatchObject({ code: 'input_overflow' })
  const source = queue[Symbol.asyncIterator]()
  await source.next()
  const second = source.next()
  const write = queue.write(bytes('x'))
  await second
  void source.next()
  await write
})

test('closing refuses what waits and what comes, and ends the source', async () => {
  const queue = new InputQueue()
  const source = queue[Symbol.asyncIterator]()
  const waiting = queue.write(bytes('one'))
  const end = new CmdopError('session_ended', 'Over.')
  queue.close(end)
  await expect(waiting).rejects.toBe(end)
  await expect(queue.write(bytes('two'))).rejects.toBe(end)
  expect((await source.next()).done).toBe(true)
})
