import { basename } from 'node:path'
import { type Client, createFleet, type FleetRow, type OperatorResult } from 'cmdop'
import { DeploymentResult, RollbackResult } from './deployment-result.ts'

export interface Deployment {
  readonly version: string
  /** Folder of the release on this computer. */
  readonly release: string
  /** Of each machine by its name: where the service is, and how it is restarted. */
  readonly sites: Readonly<Record<string, { readonly folder: string; readonly control: string }>>
  readonly signal: AbortSignal
}

type Row = FleetRow<OperatorResult<DeploymentResult>>

const succeeded = ({ result }: Row) => result?.output?.success === true

/** Deploys to the web servers, one first; where anything fails, every machine that was tried goes back. */
export async function deploy(client: Client, { version, release, sites, signal }: Deployment) {
  const fleet = createFleet(client, 'role=web')
  const folderOf = ({ name }: { name: string }) => sites[name]?.folder ?? ''

  // What runs now, to go back to.
  const running = await fleet.exec((machine) => ['readlink', `${folderOf(machine)}/current`], { signal })
  if (!running.ok) return { ending: 'not-begun', report: running } as const
  const before = new Map(
    running.rows.map(({ machine, result }) => [machine.name, basename(result?.stdout.trim() ?? '')]),
  )

  // The release is on every machine before any machine runs it.
  const there = (machine: { name: string }) => `${folderOf(machine)}/releases/${version}`
  const copied = await fleet.copy(release, there, { recursive: true, maxFailures: 0, signal })
  if (!copied.ok) return { ending: 'not-begun', report: copied } as const

  const report = await fleet.run(({ name }) => `Deploy version ${version} on ${name} and run its tests.`, {
    outputSchema: DeploymentResult,
    context: sites,
    waves: [1, '100%'],
    check: ({ rows }) => (rows.every(succeeded) ? 'go' : { stop: 'The canary does not work.' }),
    approval: { at: 'wave', waves: [2], reason: `Version ${version} works on the canary.` },
    timeoutMs: 300_000,
    signal,
  })
  if (report.rows.every(succeeded)) return { ending: 'deployed', report } as const

  // Whatever became of it there: where it was tried, it may run.
  const tried = report.rows.filter(({ attempts }) => attempts > 0).map(({ machine }) => machine.name)
  const back = await createFleet(client, tried).run(
    ({ name }) => `Roll back to version ${before.get(name)} on ${name}.`,
    { outputSchema: RollbackResult, context: sites, timeoutMs: 300_000, signal },
  )
  return { ending: 'rolled-back', report, back } as const
}
