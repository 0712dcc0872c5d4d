import { Client } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'

/** What every command in a fleet takes. */
export interface FleetFlags {
  /** Slug or id. Default: `CMDOP_FLEET_ID`, else the fleet of the key. */
  readonly fleet?: string | undefined
}

/** A client whose calls are in the fleet that `--fleet` names. Throws `not_found`. */
export async function clientFor({ fleet }: FleetFlags, signal: AbortSignal): Promise<Client> {
  if (fleet === undefined) return new Client()
  await using client = new Client()
  return new Client({ fleetId: await fleetIdOf(client, fleet, signal) })
}

/** The id of the fleet of this slug or id, of those in which you are a member. Throws `not_found`. */
export async function fleetIdOf(client: Client, fleet: string, signal: AbortSignal): Promise<string> {
  for await (const { id, slug } of client.fleets.iter({ signal })) if (id === fleet || slug === fleet) return id
  throw new CmdopError('not_found', `You are in no fleet ${fleet}; see: cmdop fleets list.`)
}

/** The id of a machine of a fleet, by default the client's, by id, name or hostname; what none has is given back. */
export async function machineIdIn(
  client: Client,
  { fleetId, machine }: { fleetId?: string; machine: string },
  signal: AbortSignal,
): Promise<string> {
  const fits = { name: '', hostname: '' }
  for await (const { id, name, hostname } of client.fleets.machines.iter({ fleetId, signal })) {
    if (id === machine) return id
    if (name === machine) fits.name = id
    if (hostname === machine) fits.hostname = id
  }
  return fits.name || fits.hostname || machine
}
