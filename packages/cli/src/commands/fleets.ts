import { Client, type FleetSummary } from '@cmdop/core'
import { FleetSummary as FleetSchema, MachineFleetLink, MachineSummary } from '@cmdop/protocol'
import { exitCodes } from '../exit-codes.ts'
import { clientFor, fleetIdOf, machineIdIn } from '../fleet-client.ts'
import { writeMachines } from '../machine-table.ts'
import { writeResource } from '../resource-json.ts'
import { formatTable, say, writeJson, writeStdout } from '../terminal.ts'

interface Flags {
  json?: boolean
}

export interface FleetChangeFlags extends Flags {
  name?: string
  mfaRequired?: 'none' | 'optional' | 'required'
}

/** `cmdop fleets list`: the fleets in which you are a member. */
export async function listFleetsCommand(flags: Flags, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  const items = await Array.fromAsync(client.fleets.iter({ signal }))
  if (flags.json === true) await writeResource(FleetSchema, { items })
  else await writeStdout(tableOf(items))
  return exitCodes.ok
}

/** `cmdop fleets get`: one of them; without a name the one that other commands work in. */
export async function getFleetCommand(fleet: string | undefined, flags: Flags, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  const id = fleet === undefined ? undefined : await fleetIdOf(client, fleet, signal)
  await show(await client.fleets.get(id, { signal }), flags)
  return exitCodes.ok
}

/** `cmdop fleets create`: one that is yours. */
export async function createFleetCommand(
  slug: string,
  { name = slug, mfaRequired, ...flags }: FleetChangeFlags,
  signal: AbortSignal,
): Promise<number> {
  await using client = new Client()
  const settings = mfaRequired === undefined ? {} : { mfaRequired }
  await show(await client.fleets.create({ slug, name, ...settings }, { signal }), flags)
  return exitCodes.ok
}

/** `cmdop fleets update`: what is not named stays. */
export async function updateFleetCommand(
  fleet: string,
  { name, mfaRequired, ...flags }: FleetChangeFlags,
  signal: AbortSignal,
): Promise<number> {
  await using client = new Client()
  const change = { ...(name === undefined ? {} : { name }), ...(mfaRequired === undefined ? {} : { mfaRequired }) }
  await show(await client.fleets.update(await fleetIdOf(client, fleet, signal), change, { signal }), flags)
  return exitCodes.ok
}

/** `cmdop fleets disable`: ends a fleet with its keys and machines. */
export async function disableFleetCommand(fleet: string, flags: Flags, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  const id = await fleetIdOf(client, fleet, signal)
  await client.fleets.disable(id, { signal })
  if (flags.json === true) await writeJson({ id, disabled: true })
  else await say(`${fleet} is disabled: its keys, sessions and machines have ended`)
  return exitCodes.ok
}

/** `cmdop fleets machines`: those that are in a fleet. */
export async function fleetMachinesCommand(
  fleet: string,
  flags: Flags & { presence?: 'any' | 'online' | 'suspect' | 'offline' },
  signal: AbortSignal,
): Promise<number> {
  await using client = await clientFor({ fleet }, signal)
  const items = await Array.fromAsync(client.fleets.machines.iter({ presence: flags.presence ?? 'any', signal }))
  if (flags.json === true) await writeResource(MachineSummary, { items })
  else await writeMachines(items)
  return exitCodes.ok
}

/** `cmdop fleets attach`: moves a machine of the fleet of your key into another one. */
export async function attachMachineCommand(
  { fleet, machine }: { fleet: string; machine: string },
  flags: Flags,
  signal: AbortSignal,
): Promise<number> {
  await using client = new Client()
  const [fleetId, { id, name }] = await Promise.all([
    fleetIdOf(client, fleet, signal),
    client.machines.resolve(machine, { signal }),
  ])
  const link = await client.fleets.machines.attach(id, { fleetId, signal })
  if (flags.json === true) await writeResource(MachineFleetLink, link)
  else await say(`${name} is in ${fleet} now; what ran there has ended`)
  return exitCodes.ok
}

/** `cmdop fleets detach`: moves it back to the fleet in which it enrolled. */
export async function detachMachineCommand(
  { fleet, machine }: { fleet: string; machine: string },
  flags: Flags,
  signal: AbortSignal,
): Promise<number> {
  await using client = new Client()
  // Who manages it at home may be no member of the fleet that it is in, and says ids, which the log at home has.
  const isIds = fleet.startsWith('flt_') && machine.startsWith('mch_')
  const fleetId = isIds ? fleet : await fleetIdOf(client, fleet, signal)
  const machineId = isIds ? machine : await machineIdIn(client, { fleetId, machine }, signal)
  await client.fleets.machines.detach(machineId, { fleetId, signal })
  if (flags.json === true) await writeJson({ machine_id: machineId, fleet_id: fleetId, detached: true })
  else await say(`${machine} is back in the fleet in which it enrolled; what ran there has ended`)
  return exitCodes.ok
}

async function show(fleet: FleetSummary, { json }: Flags): Promise<void> {
  if (json === true) await writeResource(FleetSchema, fleet)
  else await writeStdout(tableOf([fleet]))
}

function tableOf(fleets: readonly FleetSummary[]): string {
  const rows = fleets.map(({ slug, name, role, mfaRequired, createdAt, id }) => [
    slug,
    name,
    role ?? '-',
    mfaRequired,
    createdAt,
    id,
  ])
  return formatTable(['SLUG', 'NAME', 'YOUR ROLE', 'AUTHENTICATOR', 'CREATED', 'ID'], rows)
}
