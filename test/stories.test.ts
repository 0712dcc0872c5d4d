import type { LocalSystem } from '@cmdop/example-local-system'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { incident } from '../examples/incident-response/src/story.ts'
import { storySystem, untold } from './stories.ts'

let system: LocalSystem
beforeAll(async () => {
  system = await storySystem('shop-1')
})
afterAll(() => system[Symbol.asyncDispose]())

// All five stories with all of their faults are system tests.
test.each([
  ['wrong-config', { ending: 'repaired', works: true, asked: 2 }],
  ['none', { ending: 'nothing-to-do', works: true, asked: 0 }],
] as const)(
  'a service with the fault %s is repaired by what a person has approved, and without one left alone',
  async (fault, ends) => {
    expect(await incident(system, { ...untold, fault, seed: 1 })).toMatchObject(ends)
  },
)
