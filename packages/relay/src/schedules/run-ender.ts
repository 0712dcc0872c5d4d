import type { Caller } from '../auth/authenticate.ts'
import type { ScheduleRunRow } from '../store/schedule-store.ts'

/** How rows of the audit log name it. */
const SYSTEM = 'system'

const NO_KEY = {
  secretHash: '',
  prefix: '',
  expiresAt: null,
  lastUsedAt: null,
  revokedAt: null,
  credential: 'key',
} as const
const NO_LIMITS = { role: null, scopes: null, ipRanges: null, maxTargetsPerRun: null, fleetDisabledAt: null } as const
const NO_ORIGIN = { rotatedFrom: null, parentId: null, lentById: null, ip: null, userAgent: null } as const
const NO_PERSON = { email: null, groups: [], invitedById: null, personId: null, confirmedAt: null } as const

/**
 * The relay in the place of a schedule whose writer is gone or may not do its work any more: to end what an earlier relay has left running
 * for it, and for nothing else. A machine lets only who has begun a call end it, so it has the id of the schedule, and a key that nobody can show.
 */
export function runEnder({ scheduleId, fleetId, createdAt }: ScheduleRunRow): Caller {
  const about = { fleetId, createdAt, name: 'relay, ending a run' }
  return {
    principalId: scheduleId,
    fleetId,
    role: 'member',
    kind: 'schedule',
    scopes: [],
    reach: [],
    lenders: [],
    ids: new Set([scheduleId]),
    principal: {
      ...about,
      ...NO_PERSON,
      id: scheduleId,
      kind: 'schedule',
      role: 'member',
      actsForId: null,
      removedAt: null,
      controlChangedAt: null,
    },
    key: { ...about, ...NO_KEY, ...NO_LIMITS, ...NO_ORIGIN, id: SYSTEM, principalId: scheduleId },
  }
}
