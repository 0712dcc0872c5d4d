import { Client, type MachineSummary } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'

const MACHINE_ID = /^mch_[0-9a-f]{32}$/

/** Machines that are named where several fit. */
const MOST_NAMED = 10

type Named = Pick<MachineSummary, 'id' | 'hostname' | 'name'>

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

/**
 * The id of the one machine of a fleet, by default the client's, that a reference means, by the first rule that fits: id, hostname, name,
 * prefix of one of these of two characters or more. Throws `not_found` and `ambiguous`, as the relay does for the fleet of a key.
 */
export async function machineIdIn(
  client: Client,
  { fleetId, machine }: { fleetId?: string; machine: string },
  signal: AbortSignal,
): Promise<string> {
  // Also one that this caller does not see there: the relay decides.
  if (MACHINE_ID.test(machine)) return machine
  const machines = await Array.fromAsync(client.fleets.machines.iter({ fleetId, signal }))
  const isPrefix = (text: string) => machine.length >= 2 && text.startsWith(machine)
  const rules: ((each: Named) => boolean)[] = [
    ({ id }) => id === machine,
    ({ hostname }) => hostname === machine,
    ({ name }) => name === machine,
    ({ id, hostname, name }) => [id, hostname, name].some(isPrefix),
  ]
  const found = rules.map((rule) => machines.filter(rule)).find(({ length }) => length > 0) ?? []
  const [only] = found
  if (only === undefined) throw new CmdopError('not_found', `There is no machine ${machine} in this fleet.`)
  if (found.length > 1) throw ambiguous(machine, found)
  return only.id
}

function ambiguous(reference: string, found: readonly Named[]): CmdopError {
  const candidates = found.slice(0, MOST_NAMED).map(({ id, name, hostname }) => ({ id, name, hostname }))
  const names = candidates.map(({ id, name }) => `${name} (${id})`).join(', ')
  return new CmdopError('ambiguous', `${reference} fits ${found.length} machines: ${names}. Use an id.`, {
    details: { candidates },
  })
}
