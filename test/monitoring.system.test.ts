import type { LocalSystem } from '@cmdop/example-local-system'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { monitoringStory } from '../examples/monitoring/src/story.ts'
import type { FaultName } from '../examples/monitoring/src/worker.ts'
import { runExampleWithKey, storySystem, untold } from './stories.ts'
import { standIn } from '../examples/monitoring/src/stand-in.ts'

let system: LocalSystem
beforeAll(async () => {
  system = await storySystem('web-1', 'web-2')
})
afterAll(() => system[Symbol.asyncDispose]())

describe('a monitor of two servers', () => {
  test.each<[FaultName, string, number]>([
    ['backlog', 'queue_length', 8],
    ['no-heartbeat', 'heartbeat_age_seconds', 2],
    ['errors', 'recent_errors', 4],
    ['full-disk', 'data_kb', 5],
    ['not-listening', 'listening', 1],
  ])('alerts while %s lasts, and wakes people once', async (fault, metric, seed) => {
    const { alerts, pages, broken } = await monitoringStory(system, { ...untold, fault, seed })
    const told = pages.map(({ event, hostname, metric: of }) => [event, hostname, of])
    expect([alerts, told]).toEqual([[0, 1, 1, 0], ['page', 'resolve'].map((event) => [event, broken, metric])])
  })

  test.each<[FaultName, number]>([
    ['errors', 3],
    ['full-disk', 1],
  ])('wakes nobody for %s while it is mild', async (fault, seed) => {
    const { alerts, pages } = await monitoringStory(system, { ...untold, fault, seed })
    expect([alerts, pages]).toEqual([[0, 1, 1, 0], []])
  })

  test('says nothing while nothing is broken', async () => {
    const { alerts, pages } = await monitoringStory(system, { ...untold, fault: 'none', seed: 1 })
    expect([alerts, pages]).toEqual([[0, 0, 0, 0], []])
  })
})

test('the example runs with the model of a key that is set, and leaves nothing running', async () => {
  const { requests, ...ended } = await runExampleWithKey('monitoring', ['--fault', 'not-listening'], {
    wire: 'openai-responses',
    standIn,
  })
  const { code, stdout, stderr, left } = ended
  expect(requests).toBeGreaterThan(2)
  expect([code, stderr, left]).toEqual([0, '', []])
  expect(stdout).toMatch(/\npage +web-\d: listening\nresolve +web-\d: listening\n$/)
})
