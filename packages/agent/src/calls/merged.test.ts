import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { merged } from './merged.ts'

const MIB = 1024 * 1024

test('gives the items of all as they come, and what each returned in the order of the list', async () => {
  const gate = Promise.withResolvers<void>()
  const late = (async function* () {
    await gate.promise
    yield 'late'
    return 1
  })()
  const early = (async function* () {
    yield 'early'
    gate.resolve()
    return 2
  })()
  const items: string[] = []
  const all = merged([late, early])
  for (;;) {
    const { done, value } = await all.next()
    if (done === true) {
      expect(value).toEqual([1, 2])
      break
    }
    items.push(value)
  }
  expect(items).toEqual(['early', 'late'])
})

test('brings the others to their end before it throws for one', async () => {
  const items: string[] = []
  const fails = (async function* () {
    yield 'one'
    throw new Error('It failed.')
  })()
  const works = (async function* () {
    for (const item of ['two', 'three', 'four']) yield item
  })()
  const read = async () => {
    for await (const item of merged<string, void>([fails, works])) items.push(item)
  }
  await expect(read()).rejects.toThrow('It failed.')
  expect(items.toSorted()).toEqual(['four', 'one', 'three', 'two'])
})

test('keeps nothing of what was taken while another is silent', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const over = Promise.withResolvers<void>()
  const silent = (async function* (): AsyncGenerator<Buffer, void, void> {
    await over.promise
    yield Buffer.alloc(1)
  })()
  const loud = (async function* () {
    for (let count = 0; count < 64; count += 1) yield Buffer.alloc(MIB)
    collect()
    over.resolve()
  })()
  const before = process.memoryUsage().arrayBuffers
  let held = 0
  let taken = 0
  for await (const item of merged<Buffer, void>([silent, loud])) {
    taken += 1
    if (taken % 16 !== 0) continue
    // What the first finds is freed while the second runs.
    collect()
    collect()
    held = Math.max(held, process.memoryUsage().arrayBuffers - before - item.length)
  }
  expect(held / MIB).toBeLessThan(8)
})
