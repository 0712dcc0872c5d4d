import type { Client, Machine } from '@cmdop/core'
import type { FleetOperators } from './jobs/operator/operators.ts'
import type { FleetMachine } from './run/fleet-row.ts'

/** What a fleet needs of a client; `Client` of `@cmdop/core` is one. */
export interface FleetClient {
  readonly machines: Pick<Client['machines'], 'iter' | 'ping'>
  readonly fleetRuns: Pick<
    Client['fleetRuns'],
    'create' | 'get' | 'claim' | 'record' | 'targets' | 'cancel' | 'askApproval'
  >
  readonly approvals: Pick<Client['approvals'], 'decided'>
  readonly runs: Pick<Client['runs'], 'get'>
  /** AI operators, as `Client` of `cmdop` has them. Absent: those that the environment configures. */
  readonly agent?: FleetOperators | undefined
  me: Client['me']
  handle(machine: Pick<FleetMachine, 'id' | 'name' | 'hostname'>): Machine
}

/** The same, whose calls of machines are part of a run: the relay counts them together, and begins none once that is cancelled. */
export function clientOfRun(client: FleetClient, fleetRunId: string): FleetClient {
  const { machines, fleetRuns, runs, approvals, agent } = client
  const handle: FleetClient['handle'] = (machine) => {
    const found = client.handle(machine)
    return found.as?.({ fleetRunId }) ?? found
  }
  return { machines, fleetRuns, runs, approvals, agent, handle, me: (options) => client.me(options) }
}
