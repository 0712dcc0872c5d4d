import { type Client, createFleet, type FleetReport, type OperatorResult } from 'cmdop'
import { Remediation, ServerHealth } from './server-health.ts'

/** Which machines, and what is known of them. */
export interface Checked {
  /** A selector: `role=web`. */
  readonly targets: string
  /** For the operators: what runs where. */
  readonly context: object
  readonly signal: AbortSignal
}

export type HealthReport = FleetReport<OperatorResult<ServerHealth>>

/** Reading runs at once. Whatever else an operator wants to run waits for a person, who approves exactly that. */
const policy = { mode: 'default' } as const

/** The health of every machine, as typed rows; a machine that cannot be asked has a row that says so. */
export async function checkHealth(client: Client, { targets, context, signal }: Checked): Promise<HealthReport> {
  return createFleet(client, targets).run(({ name }) => `Check health of ${name}. Change nothing.`, {
    outputSchema: ServerHealth,
    context,
    policy,
    timeoutMs: 120_000,
    signal,
  })
}

/** The rows of machines that said what is wrong with them. */
export function unhealthy({ rows }: HealthReport): ServerHealth[] {
  return rows.flatMap(({ result }) => (result?.output?.issues.length ? [result.output] : []))
}

/** Mends machines, as far as people approve. */
export async function remediate(client: Client, sick: readonly ServerHealth[], { context, signal }: Checked) {
  const issues = new Map(sick.map(({ hostname, issues: of }) => [hostname, of]))
  return createFleet(client, Array.from(issues.keys())).run(
    ({ name }) => `Remediate issues on ${name}: ${issues.get(name)?.join(' ')}`,
    { outputSchema: Remediation, context, policy, timeoutMs: 600_000, signal },
  )
}
