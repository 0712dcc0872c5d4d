import type { LocalSystem } from '@cmdop/example-local-system'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Sarif } from '../examples/security-scan/src/sarif.ts'
import { type FaultName, scanStory } from '../examples/security-scan/src/story.ts'
import { runExample, storySystem, untold } from './stories.ts'

let system: LocalSystem
beforeAll(async () => {
  system = await storySystem('host-1')
})
afterAll(() => system[Symbol.asyncDispose]())

/** The story compares what was found with what the machine says of itself; this is the latter, counted. */
async function scan(fault: FaultName, seed = 1) {
  const { truth, tickets, sarif } = await scanStory(system, { ...untold, fault, seed })
  const results = sarif.runs.flatMap(({ results: each }) => each)
  return {
    wrong: [truth.files.length, truth.ports.length, truth.packages.length],
    tickets,
    rules: results.map(({ ruleId }) => ruleId),
  }
}

describe('a scan of this machine', () => {
  test.each<[FaultName, number[], number]>([
    ['none', [0, 0, 0], 0],
    ['writable-script', [1, 0, 0], 0],
    ['open-secret', [1, 0, 0], 1],
    ['setuid-program', [1, 0, 0], 0],
    ['open-port', [0, 1, 0], 0],
    ['outdated-package', [0, 0, 1], 0],
  ])('finds of %s what is really there, and nothing else', async (fault, wrong, tickets) => {
    expect(await scan(fault)).toMatchObject({ wrong, tickets })
  })

  test.each([2, 3])('finds whatever a seed chooses (%i), and puts all of it into SARIF', async (seed) => {
    const { wrong, rules } = await scan('several', seed)
    const [files = 0, ports = 0] = wrong
    expect(rules.filter((rule) => rule === 'permissions')).toHaveLength(files)
    expect(rules.filter((rule) => rule === 'open-port').length).toBeGreaterThanOrEqual(ports)
  })
})

test('SARIF without what the standard requires, or with what it has not, is refused', () => {
  const driver = { name: 'scan', rules: [] }
  const log = {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver }, results: [] }],
  }
  expect(Sarif.safeParse(log).success).toBe(true)
  for (const wrong of [
    { ...log, version: '2.0.0' },
    { ...log, runs: [{ results: [] }] },
    { ...log, runs: [{ tool: { driver: { rules: [] } }, results: [] }] },
    { ...log, findings: [] },
  ])
    expect(Sarif.safeParse(wrong).success).toBe(false)
})

test('the example prints SARIF, and leaves nothing running', async () => {
  const { code, stdout, stderr, left } = await runExample('security-scan', ['--fault', 'open-secret'])
  expect([code, stderr, left]).toEqual([0, '', []])
  const sarif = Sarif.parse(JSON.parse(stdout.slice(stdout.indexOf('\n{'))))
  expect(sarif.runs[0]?.results.map(({ ruleId }) => ruleId)).toContain('permissions')
})
