import { CmdopError } from '@cmdop/protocol'
import type { MachineLinkRow, Store } from '../store/store.ts'
import { type Caller, callerIn } from './authenticate.ts'
import { authorise } from './authorise.ts'
import { leastRole } from './owner.ts'

/** Machines of others that one fleet uses at most. */
const MAX_LINKS = 1000

/**
 * Lets the fleet that the caller acts in use a machine of another one, which the same person manages too. Throws `not_found`
 * for a machine that he does not see, `permission` for one that he does not manage, and `conflict`.
 */
export async function attachMachine(store: Store, caller: Caller, machineId: string): Promise<MachineLinkRow> {
  const machine = await store.machines.get(machineId)
  const home = machine?.disabledAt === null ? await callerAtHome(store, caller, machine.fleetId) : undefined
  if (machine === undefined || home?.fleetId !== machine.fleetId) throw noSuchMachine()
  if (home.fleetId === caller.fleetId)
    throw new CmdopError('conflict', `${machine.name} is a machine of this fleet already.`)
  const decision = authorise(home, 'machine.manage', { fleetId: machine.fleetId, machine })
  if (!decision.allowed) throw new CmdopError(decision.code, decision.reason)
  if ((await store.machineLinks.count(caller.fleetId)) >= MAX_LINKS)
    throw new CmdopError('conflict', `A fleet uses at most ${MAX_LINKS} machines of others; detach one first.`)
  const link = {
    machineId,
    fleetId: caller.fleetId,
    joinedAt: new Date().toISOString(),
    addedById: caller.principalId,
  }
  await store.machineLinks.attach(link)
  return link
}

/** Ends that the fleet uses the machine. Throws `not_found`. */
export async function detachMachine(
  store: Store,
  { fleetId, machineId }: Pick<MachineLinkRow, 'fleetId' | 'machineId'>,
): Promise<void> {
  if (!(await store.machineLinks.detach(machineId, fleetId)))
    throw new CmdopError('not_found', 'This fleet uses no such machine of another fleet.')
}

/** The person behind the caller, as the member of the fleet that has the machine. */
async function callerAtHome(store: Store, caller: Caller, fleetId: string): Promise<Caller | undefined> {
  const { key } = caller
  if (caller.fleetId === key.fleetId) return callerIn(store, caller, fleetId)
  // Whoever came here from his own fleet is a person with all that he may do: so he was let in.
  const own = await store.principals.get(key.principalId)
  if (own === undefined || own.removedAt !== null) return undefined
  const atHome: Caller = {
    ...caller,
    principalId: own.id,
    principal: own,
    fleetId: key.fleetId,
    role: leastRole([key.role, own.role]),
  }
  return callerIn(store, atHome, fleetId)
}

function noSuchMachine(): CmdopError {
  return new CmdopError('not_found', 'There is no such machine in a fleet of yours.')
}
