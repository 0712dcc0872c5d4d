import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { enrollMachine } from '@cmdop/machine'
import type { LocalSystem } from '@cmdop/example-local-system'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FaultName } from '../examples/health-check/src/api.ts'
import { type HealthOptions, healthStory } from '../examples/health-check/src/story.ts'
import { runExampleWithKey, storySystem, untold } from './stories.ts'
import { standIn } from '../examples/health-check/src/stand-in.ts'

let system: LocalSystem
beforeAll(async () => {
  system = await storySystem('web-1', 'web-2', 'web-3')
})
afterAll(() => system[Symbol.asyncDispose]())

const check = (fault: FaultName, options: Partial<HealthOptions> = {}) =>
  healthStory(system, { ...untold, fault, seed: 1, ...options })

describe('a fleet of three machines', () => {
  test.each<[FaultName, RegExp]>([
    ['stopped', /\/api start$/],
    ['hung', /^kill -CONT \d+$/],
    ['full', /^find .*\/tmp -name '\*\.tmp' -delete$/],
  ])(
    'has one machine that is %s mended, by one command that a person approved, and no other touched',
    async (fault, command) => {
      const { sick, left, approved, pids, pidsAfter } = await check(fault)
      expect([sick.length, left]).toEqual([1, []])
      expect(approved).toEqual([{ machine: sick[0], command: expect.stringMatching(command) }])
      const changed = pids.filter((pid, index) => pid !== pidsAfter[index])
      expect(changed).toHaveLength(fault === 'stopped' ? 1 : 0)
    },
  )

  test('has several mended, each by what is wrong with it', async () => {
    const { sick, left, approved } = await check('several', { seed: 7 })
    expect(sick.length).toBeGreaterThan(1)
    expect([approved.map(({ machine }) => machine).toSorted(), left]).toEqual([sick, []])
  })

  test('stays as it is where the person says no, and the report says which are left', async () => {
    const { sick, left, approved } = await check('stopped', { decide: () => 'Not now.' })
    expect([left, approved]).toEqual([sick, []])
  })

  test('has typed rows of healthy machines, and nobody is asked anything', async () => {
    const { sick, approved, report } = await check('none')
    expect([sick, approved, report.ok]).toEqual([[], [], true])
    for (const { machine, result } of report.rows)
      expect(result?.output).toMatchObject({ hostname: machine.name, services: ['api'], issues: [] })
  })
})

test('a machine that cannot be asked has a row that says so, and the others have theirs', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'cmdop-test-'))
  const { rawToken: token } = await system.owner.enrollmentTokens.issue({ labels: { role: 'web' } })
  await enrollMachine({ relayUrl: system.owner.baseUrl, token, dataDir, name: 'web-4' })
  const { report, sick, left } = await check('stopped')
  expect(report.rows.map(({ result, error }) => result?.output?.hostname ?? error?.code)).toEqual([
    'web-1',
    'web-2',
    'web-3',
    'unavailable',
  ])
  expect(report.rows.map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'ok', 'unreachable'])
  expect([report.ok, sick.length, left]).toEqual([false, 1, []])
  await rm(dataDir, { recursive: true })
})

test('the example runs with the model of a key that is set, and leaves nothing running', async () => {
  const { requests, ...ended } = await runExampleWithKey('health-check', ['--fault', 'hung'], {
    wire: 'openai-chat',
    standIn,
  })
  const { code, stdout, stderr, left } = ended
  expect(requests).toBeGreaterThan(2)
  expect([code, stderr, left]).toEqual([0, '', []])
  expect(stdout).toMatch(/web-\d +mended by kill -CONT \d+\n$/)
})
