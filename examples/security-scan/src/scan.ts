import type { Client, RemoteMachine, RestrictionsInput } from 'cmdop'
import { SecurityScan } from './security-scan.ts'

/** What is as it should be; a scan reports what differs. */
export interface Baseline {
  /** Directory whose files are looked at. */
  readonly folder: string
  /** Ports that may be reached from other machines. */
  readonly ports: readonly number[]
  /** Of packages in `node_modules`: the oldest version that is good. */
  readonly minimumVersions: Readonly<Record<string, string>>
  /** Whether packages of the system are looked at, too. */
  readonly systemPackages: boolean
}

/** Scans one machine, and changes nothing there. */
export async function securityScan(client: Client, server: string, baseline: Baseline, signal: AbortSignal) {
  const machine = await client.machine(server)
  const { output: scan, durationMs } = await client.agent.run(
    'Perform security audit: check permissions (files that everybody can write, files of secrets that others can read, setuid ' +
      'programs), open ports that other machines can reach, outdated packages in node_modules and, where they are asked about and there is apt, of the system.',
    { machine, context: baseline, outputSchema: SecurityScan, restrictions: await onlyReading(machine), signal },
  )
  return { scan, seconds: durationMs / 1000 }
}

/** The kernel of the machine holds it, where it can: nothing is written, whatever the model wants to run. */
async function onlyReading(machine: RemoteMachine): Promise<RestrictionsInput> {
  const { restrictions } = await machine.capabilities()
  return restrictions['readOnly']?.ok === true ? { readOnly: true, network: 'host' } : {}
}
