import type { Client, Machine } from '@cmdop/core'
import type { FleetMachine } from './run/fleet-row.ts'

/** What a fleet needs of a client; `Client` of `@cmdop/core` is one. */
export interface FleetClient {
  readonly machines: Pick<Client['machines'], 'iter'>
  readonly fleetRuns: Pick<Client['fleetRuns'], 'create' | 'claim' | 'record' | 'targets' | 'cancel'>
  handle(machine: Pick<FleetMachine, 'id' | 'name' | 'hostname'>): Machine
}
