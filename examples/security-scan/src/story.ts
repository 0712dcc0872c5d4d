import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LocalSystem, modelOr, seeded, type Story } from '@cmdop/example-local-system'
import { installApp, minimumVersions, type WeaknessName, weaknessNames } from './app.ts'
import { toSarif } from './sarif.ts'
import { securityScan } from './scan.ts'
import { standIn } from './stand-in.ts'

/** `several`: the seed chooses which. `none` is the control. */
export const faultNames = ['several', 'none', ...weaknessNames] as const
export type FaultName = (typeof faultNames)[number]

export interface ScanOptions extends Story {
  readonly fault: FaultName
  readonly seed: number
  /** Default: false. */
  readonly systemPackages?: boolean
}

/**
 * Installs an app with weaknesses, has an operator scan the machine, and compares what it found in the app with what the machine
 * says of itself. What else is open or outdated on this host is reported as well.
 */
export async function scanStory(
  system: LocalSystem,
  { fault, seed, systemPackages = false, say, signal }: ScanOptions,
) {
  await using scene = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'cmdop-scan-'))
  scene.defer(() => rm(folder, { recursive: true, force: true }))
  const choices = seeded(seed)
  const app = scene.use(await installApp(folder, weaknessesOf(fault, choices), choices))

  const operator = await system.operator(modelOr(standIn))
  const baseline = { folder, ports: [], minimumVersions, systemPackages }
  const { scan, seconds } = await securityScan(operator, 'host-1', baseline, signal)
  const sarif = toSarif(scan)
  say(
    `scanned   ${scan.hostname} in ${seconds.toFixed(1)} s: ${scan.findings.length} findings, risk ${scan.overall_risk}`,
  )
  const critical = scan.findings.filter(({ severity }) => severity === 'critical')
  for (const { description, file_path: path } of critical) say(`ticket    ${description} ${path}`)

  const truth = await app.truth()
  const found = {
    files: scan.findings.flatMap(({ file_path: path }) => (path?.startsWith(folder) ? [path] : [])).toSorted(),
    ports: scan.findings.flatMap(({ port }) => (port === app.port ? [port] : [])),
    packages: scan.findings.flatMap(({ package: name }) => (name !== null && name in minimumVersions ? [name] : [])),
  }
  assert.deepEqual(found, truth)
  return { scan, sarif, truth, tickets: critical.length }
}

function weaknessesOf(fault: FaultName, choices: ReturnType<typeof seeded>): readonly WeaknessName[] {
  if (fault === 'none') return []
  return fault === 'several' ? weaknessNames.filter(() => choices.of([true, false])) : [fault]
}
