import { expect, test } from 'vitest'
import { turn } from './testing/pairs.ts'
import { createMemoryTransports } from './memory-transport.ts'
import type { Transport } from './transport.ts'

function collect(transport: Transport): unknown[] {
  const events: unknown[] = []
  transport.start({
    message: (message) => events.push([...message]),
    text: () => events.push('text'),
    closed: ({ code, reason }) => events.push(`${code} ${reason}`),
  })
  return events
}

test('What was sent before a close is delivered first, also to an end that starts late', async () => {
  const [left, right] = createMemoryTransports()
  const here = collect(left)
  left.send(Uint8Array.of(1))
  left.send(Uint8Array.of(2))
  expect(left.bufferedBytes).toBe(2)
  left.close(4000, 'done')
  left.send(Uint8Array.of(3))
  await turn()
  const there = collect(right)
  await turn()
  expect(there).toEqual([[1], [2], '4000 done'])
  expect(here).toEqual(['4000 done'])
  expect(left.bufferedBytes).toBe(0)
})

test('Nothing is delivered after the close, and the close only once', async () => {
  const [left, right] = createMemoryTransports()
  const events = [collect(left), collect(right)]
  left.close(4000, 'one')
  right.send(Uint8Array.of(1))
  right.close(4000, 'two')
  left.terminate()
  await turn()
  expect(events).toEqual([['4000 one'], ['4000 two']])
})

test('What is under way is lost when an end terminates', async () => {
  const [left, right] = createMemoryTransports()
  const events = [collect(left), collect(right)]
  left.send(Uint8Array.of(1))
  right.send(Uint8Array.of(2))
  left.terminate()
  await turn()
  expect(events).toEqual([['1006 terminated'], ['1006 terminated']])
})
