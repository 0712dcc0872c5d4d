import type { LocalSystem } from '@cmdop/example-local-system'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FaultName } from '../examples/deployment/src/release.ts'
import { type DeploymentOptions, deploymentStory } from '../examples/deployment/src/story.ts'
import { runExampleWithKey, storySystem, untold } from './stories.ts'
import { standIn } from '../examples/deployment/src/stand-in.ts'

let system: LocalSystem
beforeAll(async () => {
  system = await storySystem('web-1', 'web-2', 'web-3')
})
afterAll(() => system[Symbol.asyncDispose]())

/** The story asserts that every machine runs the same version: the new one only where it was deployed. */
const deploy = (fault: FaultName, seed: number, options: Partial<DeploymentOptions> = {}) =>
  deploymentStory(system, { ...untold, fault, seed, ...options })

describe('a deployment to three machines', () => {
  test('that works on the canary goes to the others once a person has said so', async () => {
    expect(await deploy('none', 1)).toMatchObject({
      ending: 'deployed',
      versions: { 'web-1': '1.5.0', 'web-2': '1.5.0', 'web-3': '1.5.0' },
      asked: 1,
    })
  })

  test('goes back on the canary, and to no other machine, when the person says no', async () => {
    expect(await deploy('none', 2, { decide: () => 'Not on a Friday.' })).toMatchObject({
      ending: 'rolled-back',
      touched: ['web-1'],
      asked: 1,
      outcomes: ['ok', 'denied', 'denied'],
    })
  })

  test.each<[FaultName, number]>([
    ['does-not-start', 3],
    ['wrong-tax', 4],
  ])('that is %s goes back on the canary, and nobody is asked (seed %i)', async (fault, seed) => {
    expect(await deploy(fault, seed)).toMatchObject({ ending: 'rolled-back', touched: ['web-1'], asked: 0 })
  })

  test('that fails on a later machine goes back on all that have it', async () => {
    const { lacks, ...story } = await deploy('needs-config', 3)
    expect(lacks).not.toBe('web-1')
    expect(story).toMatchObject({ ending: 'rolled-back', touched: ['web-1', 'web-2', 'web-3'], asked: 1 })
  })
})

test('the example runs with the model of a key that is set, and leaves nothing running', async () => {
  const { requests, ...ended } = await runExampleWithKey('deployment', ['--fault', 'needs-config', '--seed', '7'], {
    wire: 'openai-compatible',
    standIn,
  })
  const { code, stdout, stderr, left } = ended
  expect(requests).toBeGreaterThan(2)
  expect([code, stderr, left]).toEqual([0, '', []])
  expect(stdout).toMatch(/\nrolled-back +\{"web-1":"1.4.0","web-2":"1.4.0","web-3":"1.4.0"\}\n$/)
})
