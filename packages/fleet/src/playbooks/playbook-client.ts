import type { Client } from '@cmdop/core'
import type { FleetClient } from '../fleet-client.ts'

/** What a playbook needs of a client; `Client` of `@cmdop/core` is one. */
export interface PlaybookClient extends FleetClient {
  readonly fleetRuns: FleetClient['fleetRuns'] & Pick<Client['fleetRuns'], 'get'>
  readonly approvals: FleetClient['approvals'] & Pick<Client['approvals'], 'get' | 'actions'>
}
