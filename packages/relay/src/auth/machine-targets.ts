import type { MachineRow, Store } from '../store/store.ts'
import type { Action, Actor, Target } from './authorise.ts'

/**
 * What a fleet may do on a machine of another one that it uses. All else stays with the fleet that the machine enrolled in:
 * managing it, its recordings, and what people are asked.
 */
const throughLinks: ReadonlySet<Action> = new Set([
  'machine.list',
  'machine.facts',
  'machine.exec',
  'machine.ask',
  'session.observe',
  'session.operate',
  'effect.read',
  'effect.apply',
  'file.read',
  'file.write',
  'file.delete',
  'run.write',
  'run.read',
])

type Links = Pick<Store, 'machineLinks'>

/**
 * A machine as what an action of this caller is done to: of the caller's fleet where that has it, or uses it and the action goes
 * that way, and else of its own, which hides it. The one place that knows of links; whether the caller may is decided by
 * `authorise`, as ever. Undefined for no machine.
 */
export async function targetFor(
  { machineLinks }: Links,
  { fleetId }: Pick<Actor, 'fleetId'>,
  action: Action,
  machine: MachineRow | undefined,
): Promise<Target | undefined> {
  if (machine === undefined || machine.fleetId === fleetId || !throughLinks.has(action))
    return machine && { fleetId: machine.fleetId, machine }
  const link = await machineLinks.get(machine.id, fleetId)
  return { fleetId: link === undefined ? machine.fleetId : fleetId, machine }
}
