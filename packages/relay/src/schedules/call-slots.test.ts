import { describe, expect, test } from 'vitest'
import { CallSlots } from './call-slots.ts'

/** Calls that go on until they are let end, and who has begun. */
function calls() {
  const begun: string[] = []
  const ends: (() => void)[] = []
  const call = (name: string) => async () => {
    begun.push(name)
    const end = Promise.withResolvers<void>()
    ends.push(end.resolve)
    await end.promise
    return name
  }
  return { begun, call, endFirst: () => ends.shift()?.() }
}

/** Whatever can begin has begun. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('slots for calls of schedules', () => {
  test('are so many for one fleet, and others have theirs beside it', async () => {
    const slots = new CallSlots({ all: 3, ofFleet: 2 })
    const { begun, call, endFirst } = calls()
    const running = ['a1', 'a2', 'a3', 'b1'].map((name) => slots.run(`fleet-${name[0]}`, call(name)))
    await turn()
    expect(begun).toEqual(['a1', 'a2', 'b1'])
    endFirst()
    await turn()
    expect(begun).toEqual(['a1', 'a2', 'b1', 'a3'])
    for (let count = 0; count < 3; count += 1) endFirst()
    expect(await Promise.all(running)).toEqual(['a1', 'a2', 'a3', 'b1'])
  })

  test('are so many for all fleets together', async () => {
    const slots = new CallSlots({ all: 2, ofFleet: 2 })
    const { begun, call, endFirst } = calls()
    const running = ['a', 'b', 'c'].map((name) => slots.run(name, call(name)))
    await turn()
    expect(begun).toEqual(['a', 'b'])
    endFirst()
    await turn()
    expect(begun).toEqual(['a', 'b', 'c'])
    endFirst()
    endFirst()
    await Promise.all(running)
  })

  test('are free again after a call that failed', async () => {
    const slots = new CallSlots({ all: 1, ofFleet: 1 })
    await expect(slots.run('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await slots.run('a', async () => 'next')).toBe('next')
  })
})
