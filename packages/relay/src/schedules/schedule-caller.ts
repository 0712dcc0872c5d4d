import { CmdopError, methods } from '@cmdop/protocol'
import { type Caller, callerIn, toCaller } from '../auth/authenticate.ts'
import { authorise } from '../auth/authorise.ts'
import { type Owner, type OwnerOf, ownerIn } from '../auth/owner.ts'
import type { ScheduleRow, ScheduleRunRow, ScheduleWork } from '../store/schedule-store.ts'
import type { Store } from '../store/store.ts'

/**
 * A schedule in one of its runs, as a caller: it can do now what who wrote that work can, with the key that was used for that, whoever
 * has changed the schedule since. A key that was revoked or has expired, and a person who was removed, can do nothing; a person who wrote
 * it while signed in is not asked to be still. Throws `auth`. `known`: the schedule, as it was read just now; `ownerOf`: by default, as the
 * store has it now.
 */
export async function scheduleCaller(
  store: Store,
  { scheduleId, keyId }: Pick<ScheduleRunRow, 'scheduleId' | 'keyId'>,
  { known, ownerOf = ownerIn(store) }: { known?: ScheduleRow | undefined; ownerOf?: OwnerOf } = {},
): Promise<Caller> {
  const [schedule, principal] = await Promise.all([
    known ?? store.schedules.get(scheduleId),
    store.principals.get(scheduleId),
  ])
  if (schedule === undefined || principal === undefined || schedule.deletedAt !== null)
    throw new CmdopError('auth', 'The schedule was deleted.')
  const owner = withoutSession(await ownerOf(keyId))
  // A person may have come from the fleet where he signs in.
  const writer = await callerIn(store, toCaller(owner), schedule.fleetId)
  if (writer.fleetId !== schedule.fleetId)
    throw new CmdopError('auth', 'Who wrote the schedule is no member of the fleet any more.')
  if (writer.kind === 'ai') throw new CmdopError('permission', 'An AI operator has no schedules.')
  const actsForId = writer.principal.actsForId ?? writer.principalId
  return {
    ...writer,
    principalId: scheduleId,
    kind: 'schedule',
    principal: { ...principal, name: nameOf(schedule), actsForId },
    ids: new Set([...writer.ids, scheduleId]),
  }
}

/** The caller, if it may still do such work on some machine. Throws `permission` where it may do that on none. */
export function whoMayStill(caller: Caller, { prompt }: Pick<ScheduleWork, 'prompt'>): Caller {
  const { action } = methods[prompt === null ? 'exec' : 'ask']
  const decision = authorise(caller, action, { fleetId: caller.fleetId, machine: 'any' })
  if (decision.allowed) return caller
  throw new CmdopError('permission', `Who wrote the schedule may not do this any more: ${decision.reason}`)
}

/** Being signed in ends with the day; what was put down then does not. */
function withoutSession(owner: Owner): Owner {
  const { key } = owner
  if (key?.credential !== 'session') return owner
  return { ...owner, key: { ...key, expiresAt: null, revokedAt: null } }
}

function nameOf({ name }: ScheduleRow): string {
  return `${name.slice(0, 100)} (schedule)`
}
