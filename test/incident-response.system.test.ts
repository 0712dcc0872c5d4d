import type { LocalSystem } from '@cmdop/example-local-system'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FaultName } from '../examples/incident-response/src/faults.ts'
import { incident, type IncidentOptions } from '../examples/incident-response/src/story.ts'
import { interruptExample, runExample, runExampleWithKey, storySystem, untold } from './stories.ts'
import { standIn } from '../examples/incident-response/src/stand-in.ts'

let system: LocalSystem
beforeAll(async () => {
  system = await storySystem('shop-1')
})
afterAll(() => system[Symbol.asyncDispose]())

/** What a fault comes to, and the kinds of commands that a person was asked about. */
async function respondTo(fault: FaultName, options: Partial<IncidentOptions> = {}) {
  const { ending, works, asked, approved } = await incident(system, { ...untold, fault, seed: 1, ...options })
  return { ending, works, asked, programs: approved.map(({ command }) => command.split(' ')[0]?.split('/').at(-1)) }
}

describe('a service that takes no orders', () => {
  test.each<[FaultName, string[]]>([
    ['hung', ['kill']],
    ['stale-lock', ['rm', 'orders']],
    ['port-taken', ['kill', 'orders']],
    ['wrong-config', ['cp', 'orders']],
    ['full-spool', ['find']],
  ])('takes them again after %s, by what a person has approved and nothing else', async (fault, programs) => {
    expect(await respondTo(fault)).toEqual({ ending: 'repaired', works: true, asked: programs.length, programs })
  })

  test.each([2, 3])('is repaired whatever the fault looks like (seed %i)', async (seed) => {
    for (const fault of ['wrong-config', 'full-spool'] as const)
      expect(await respondTo(fault, { seed })).toMatchObject({ ending: 'repaired', works: true })
  })

  test('is left to a person where what is lost cannot be brought back', async () => {
    expect(await respondTo('lost-ledger')).toEqual({ ending: 'escalated', works: false, asked: 0, programs: [] })
  })

  test('stays as it is when the person says no', async () => {
    const decide = () => 'Not during the sale.'
    for (const fault of ['hung', 'full-spool'] as const)
      expect(await respondTo(fault, { decide })).toEqual({ ending: 'stopped', works: false, asked: 1, programs: [] })
  })
})

test('of a service that works nobody is asked anything', async () => {
  expect(await respondTo('none')).toEqual({ ending: 'nothing-to-do', works: true, asked: 0, programs: [] })
})

test('the example runs with the model of a key that is set, and leaves nothing running', async () => {
  const { requests, ...ended } = await runExampleWithKey('incident-response', ['--seed', '5'], {
    wire: 'anthropic',
    standIn,
  })
  const { code, stdout, stderr, left } = ended
  expect(requests).toBeGreaterThan(2)
  expect([code, stderr, left]).toEqual([0, '', []])
  expect(stdout).toMatch(/broken .*\n[^]*ending /)
})

test('^C while the example starts ends everything that it had started', async () => {
  const { code, stderr, left } = await interruptExample('incident-response')
  expect([code, stderr, left]).toEqual([130, 'Stopped; nothing is left running.\n', []])
})

test('the example ends everything that it had started when it fails', async () => {
  const { code, stderr, left } = await runExample('incident-response', [], { CMDOP_MODEL: 'claude-without-a-key' })
  expect([code, left]).toEqual([1, []])
  expect(stderr).toContain('config: The model "claude-without-a-key" needs ANTHROPIC_API_KEY')
})
