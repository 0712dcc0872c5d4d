import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Decide, type LocalSystem, modelOr, seeded, startColleague, type Story } from '@cmdop/example-local-system'
import { type Api, type FaultName, startApi } from './api.ts'
import { checkHealth, remediate, unhealthy } from './check-fleet.ts'
import { standIn } from './stand-in.ts'

export const machines = ['web-1', 'web-2', 'web-3'] as const

export interface HealthOptions extends Story {
  readonly fault: FaultName
  readonly seed: number
  readonly ask?: boolean
  readonly decide?: Decide
}

/**
 * Breaks services on some of three machines, has the health of all checked, has the unhealthy ones mended while a second person
 * approves each change, and looks at the machines: the rows were right, and every service answers again.
 */
export async function healthStory(system: LocalSystem, { fault, seed, ...story }: HealthOptions) {
  const { say, signal } = story
  await using scene = new AsyncDisposableStack()
  const root = await mkdtemp(join(tmpdir(), 'cmdop-health-'))
  scene.defer(() => rm(root, { recursive: true, force: true }))
  const apis = new Map<string, Api>()
  for (const name of machines) apis.set(name, scene.use(await startApi(join(root, name))))
  const choices = seeded(seed)
  const chosen = choices.of(machines)
  for (const [name, api] of apis) if (fault === 'several' || name === chosen) await api.break(fault, choices)
  const sick = await silent(apis)
  const pids = await Promise.all(Array.from(apis.values(), (api) => api.pid()))

  const ann = scene.use(startColleague(await system.person('Ann'), story))
  const operator = await system.operator(modelOr(standIn))
  const context = Object.fromEntries(
    Array.from(apis, ([name, { folder, control }]) => [name, { folder, control, tmpBytes: 100_000 }]),
  )
  const checked = { targets: 'role=web', context, signal }
  const report = await checkHealth(operator, checked)
  for (const { machine, outcome, result } of report.rows)
    say(`${machine.name.padEnd(10)}${outcome}; ${result?.output?.issues.join(' ') || 'healthy'}`)
  const found = unhealthy(report)
  assert.deepEqual(
    found.map(({ hostname }) => hostname),
    sick,
  )

  const mended = found.length === 0 ? undefined : await remediate(operator, found, checked)
  for (const { machine, result } of mended?.rows ?? [])
    say(`${machine.name.padEnd(10)}mended by ${result?.output?.commands.join(', ') || 'nothing'}`)
  const left = await silent(apis)
  const refused = (mended?.rows ?? []).filter(({ result }) => result?.output?.remaining.length !== 0)
  assert.deepEqual(
    refused.map(({ machine }) => machine.name),
    left,
  )
  const again = await checkHealth(operator, checked)
  assert.deepEqual(
    unhealthy(again).map(({ hostname }) => hostname),
    left,
  )
  return {
    sick,
    left,
    pids,
    pidsAfter: await Promise.all(Array.from(apis.values(), (api) => api.pid())),
    approved: ann.approved,
    report,
  }
}

/** The machines whose service does not answer. */
async function silent(apis: ReadonlyMap<string, Api>): Promise<string[]> {
  const answers = await Promise.all(Array.from(apis, async ([name, api]) => ({ name, answers: await api.answers() })))
  return answers.filter((each) => !each.answers).map(({ name }) => name)
}
