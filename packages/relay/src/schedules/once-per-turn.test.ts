import { expect, test } from 'vitest'
import { oncePerTurn } from './once-per-turn.ts'

test('what is asked for in one turn is read once, and in the next turn anew', async () => {
  const asked: string[] = []
  const read = oncePerTurn(async (key) => asked.push(key))
  expect(await Promise.all([read('a'), read('a'), read('b')])).toEqual([1, 1, 2])
  await new Promise((resolve) => setImmediate(resolve))
  expect(await read('a')).toBe(3)
  expect(asked).toEqual(['a', 'b', 'a'])
})

test('what could not be read is read again', async () => {
  let count = 0
  const read = oncePerTurn(async () => {
    count += 1
    if (count === 1) throw new Error('not now')
    return count
  })
  await expect(read('a')).rejects.toThrow('not now')
  await new Promise((resolve) => setImmediate(resolve))
  expect(await read('a')).toBe(2)
})
