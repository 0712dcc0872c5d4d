import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Decide, type LocalSystem, modelOr, seeded, startColleague, type Story } from '@cmdop/example-local-system'
import { deploy } from './deploy.ts'
import { buildRelease, type FaultName } from './release.ts'
import { prepareSite, type Site, startSite } from './site.ts'
import { standIn } from './stand-in.ts'

export const machines = ['web-1', 'web-2', 'web-3'] as const

export interface DeploymentOptions extends Story {
  readonly fault: FaultName
  readonly seed: number
  readonly ask?: boolean
  readonly decide?: Decide
}

/**
 * Three machines run version 1.4.0. Version 1.5.0 is deployed, and the machines are asked which they run: the new one everywhere, or,
 * where it fails anywhere, the old one everywhere.
 */
export async function deploymentStory(system: LocalSystem, { fault, seed, ...story }: DeploymentOptions) {
  const { say, signal } = story
  const choices = seeded(seed)
  await using scene = new AsyncDisposableStack()
  const root = await mkdtemp(join(tmpdir(), 'cmdop-deployment-'))
  scene.defer(() => rm(root, { recursive: true, force: true }))
  const lacks = choices.of(machines)
  const sites = new Map<string, Site>()
  for (const name of machines) {
    const site = scene.use(await prepareSite(join(root, name), name === lacks ? {} : { warehouse: 'north' }))
    await buildRelease(join(site.folder, 'releases', '1.4.0'), { version: '1.4.0', fault: 'none', seed: choices })
    await startSite(site, '1.4.0')
    sites.set(name, site)
  }
  const pids = await pidsOf(sites)
  const release = join(root, 'build', '1.5.0')
  await buildRelease(release, { version: '1.5.0', fault, seed: choices })

  const ann = scene.use(startColleague(await system.person('Ann'), story))
  const operator = await system.operator(modelOr(standIn))
  const known = Object.fromEntries(Array.from(sites, ([name, { folder, control }]) => [name, { folder, control }]))
  const { ending, report } = await deploy(operator, { version: '1.5.0', release, sites: known, signal })
  for (const { machine, wave, outcome } of report.rows) say(`wave ${wave}    ${machine.name}: ${outcome}`)

  const versions: Record<string, string | undefined> = {}
  for (const [name, site] of sites) versions[name] = await site.version()
  say(`${ending.padEnd(12)}${JSON.stringify(versions)}`)
  const expected = ending === 'deployed' ? '1.5.0' : '1.4.0'
  assert.deepEqual(versions, Object.fromEntries(machines.map((name) => [name, expected])))
  const after = await pidsOf(sites)
  const touched = machines.filter((name) => pids[name] !== after[name])
  return { ending, versions, touched, lacks, asked: ann.asked, outcomes: report.rows.map(({ outcome }) => outcome) }
}

async function pidsOf(sites: ReadonlyMap<string, Site>): Promise<Record<string, number | undefined>> {
  return Object.fromEntries(
    await Promise.all(Array.from(sites, async ([name, site]) => [name, await site.pid()] as const)),
  )
}
