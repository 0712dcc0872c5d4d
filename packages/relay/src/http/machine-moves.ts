import { CmdopError, isCmdopError } from '@cmdop/protocol'
import type { AuditTrail } from '../audit/audit-trail.ts'
import { actorOf, type AuditEntry } from '../audit/entry.ts'
import type { Caller } from '../auth/authenticate.ts'
import { authorise } from '../auth/authorise.ts'
import type { Bus } from '../bus/bus.ts'
import type { MachineRow, Store } from '../store/store.ts'
import { assertAllowed, enterFleet } from './guard.ts'

export interface MoveContext {
  readonly store: Store
  readonly audit: AuditTrail
  readonly bus: Bus
}

/** Who asks for which machine to come into, or go out of, which fleet. */
export interface MoveRequest {
  /** As the credential says, not as a member of the fleet. */
  readonly caller: Caller
  readonly fleetId: string
  readonly machineId: string
  readonly requestId: string
}

/**
 * Moves a machine into a fleet; the same person manages machines there and where it is. Throws `not_found` for a machine or fleet
 * that he does not see, `permission`, and `conflict` for one that is there already, or whose name is taken there.
 */
export async function attachMachine(context: MoveContext, request: MoveRequest): Promise<{ addedById: string }> {
  const { store, audit } = context
  const { caller, fleetId, machineId, requestId } = request
  const there = await enterFleet(context, request)
  const row = await store.machines.get(machineId)
  const machine = row?.disabledAt === null ? row : undefined
  const here = machine === undefined ? caller : await enterFleet(context, { ...request, fleetId: machine.fleetId })
  const isSeen = machine !== undefined && here.fleetId === machine.fleetId
  const act = { action: 'machine.manage', subject: subjectOf(request, 'attach'), requestId } as const
  const named = isSeen ? { ...act, machineId } : act
  await assertAllowed(audit, { ...actorOf(there), ...named }, { caller: there, target: { fleetId } })
  if (!isSeen) throw await refused(audit, { ...actorOf(there), ...named })
  await assertAllowed(
    audit,
    { ...actorOf(here), ...named },
    { caller: here, target: { fleetId: machine.fleetId, machine } },
  )
  await move(context, machine, { to: fleetId, from: here, into: there, act: named })
  return { addedById: there.principalId }
}

/**
 * Moves a machine back to the fleet in which it enrolled; who manages machines in that one does that, too, whatever he is in the
 * other. Throws `not_found`, `permission`, and `conflict` for one that is at home, or whose home is disabled or has its name.
 */
export async function detachMachine(context: MoveContext, request: MoveRequest): Promise<void> {
  const { store, audit } = context
  const { fleetId, machineId, requestId } = request
  const row = await store.machines.get(machineId)
  const machine = row?.fleetId === fleetId ? row : undefined
  const act = { action: 'machine.manage', subject: subjectOf(request, 'detach'), requestId } as const
  const atHome = machine === undefined ? undefined : await manager(context, request, machine)
  const here = atHome ?? (await enterFleet(context, request))
  const target = machine === undefined ? { fleetId } : { fleetId: atHome?.fleetId ?? fleetId, machine }
  const named = machine !== undefined && here.fleetId === target.fleetId ? { ...act, machineId } : act
  await assertAllowed(audit, { ...actorOf(here), ...named }, { caller: here, target })
  if (machine === undefined) throw await refused(audit, { ...actorOf(here), ...named })
  await move(context, machine, { to: machine.homeFleetId, from: here, into: here, act: named })
}

/** The caller as who manages the machine where it is at home; undefined where he does not. */
async function manager(context: MoveContext, request: MoveRequest, machine: MachineRow): Promise<Caller | undefined> {
  try {
    const atHome = await enterFleet(context, { ...request, fleetId: machine.homeFleetId })
    const target = { fleetId: machine.homeFleetId, machine }
    return authorise(atHome, 'machine.manage', target).allowed ? atHome : undefined
  } catch (error) {
    // He may still do it as who he is in the other fleet.
    if (isCmdopError(error) && (error.code === 'auth' || error.code === 'permission')) return undefined
    throw error
  }
}

/** Between rows in the logs of both fleets. What runs there ends: whoever holds the connection is told, and sees that it is another fleet's. */
async function move(
  { store, audit, bus }: MoveContext,
  machine: MachineRow,
  {
    to,
    from,
    into,
    act,
  }: { to: string; from: Caller; into: Caller; act: { action: string; subject: string; requestId: string } },
): Promise<void> {
  const { id: machineId, fleetId } = machine
  const entry = { ...act, machineId }
  const work = async () => {
    try {
      if (to === fleetId)
        throw new CmdopError(
          'conflict',
          `${machine.name} is a machine of this fleet${machine.homeFleetId === to ? ', in which it enrolled' : ''}.`,
        )
      await store.machines.move(machineId, { from: fleetId, to })
    } finally {
      // Also where it is there already: somebody may not have been told.
      await bus.publish({ type: 'machine-changed', machineId, change: 'moved' })
    }
  }
  const within = () => (to === fleetId ? work() : audit.around({ ...actorOf(from), ...entry, fleetId }, work))
  await audit.around({ ...actorOf(into), ...entry, fleetId: to }, within)
}

/** Who manages it at home learns there where it has gone. */
function subjectOf({ fleetId, machineId }: MoveRequest, way: 'attach' | 'detach'): string {
  return `machine:${machineId} ${way} ${fleetId}`.slice(0, 128)
}

/** The error for a machine that the caller does not see, once its row is written. */
async function refused(audit: AuditTrail, entry: AuditEntry): Promise<CmdopError> {
  await audit.deny({ ...entry, code: 'not_found' })
  return new CmdopError('not_found', 'There is no such machine in a fleet of yours.')
}
