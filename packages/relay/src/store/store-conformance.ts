import { describe } from 'vitest'
import { describeApprovalEvents } from './conformance/approval-events.ts'
import { describeAudit } from './conformance/audit.ts'
import { describeEnrollment } from './conformance/enrollment.ts'
import { describeFleets } from './conformance/fleets.ts'
import { describeKeys } from './conformance/keys.ts'
import { describeLifecycle } from './conformance/lifecycle.ts'
import { describeSeveralFleets } from './conformance/several-fleets.ts'
import { describeMachines } from './conformance/machines.ts'
import { describeMembers } from './conformance/members.ts'
import { describeNotifications } from './conformance/notifications.ts'
import { describeRecordings } from './conformance/recordings.ts'
import { describeRuns } from './conformance/runs.ts'
import { describeSchedules } from './conformance/schedules.ts'
import { describeSignIn } from './conformance/sign-in.ts'
import { describeSkills } from './conformance/skills.ts'
import { describeTunnels } from './conformance/tunnels.ts'
import type { OpenStore } from './conformance/world.ts'

/** What every implementation of the port does. `open` gives a new, empty store each time. */
export function describeStore(name: string, open: OpenStore): void {
  describe(name, () => {
    describeFleets(open)
    describeKeys(open)
    describeMembers(open)
    describeSignIn(open)
    describeEnrollment(open)
    describeMachines(open)
    describeSeveralFleets(open)
    describeRecordings(open)
    describeRuns(open)
    describeSchedules(open)
    describeApprovalEvents(open)
    describeNotifications(open)
    describeSkills(open)
    describeTunnels(open)
    describeAudit(open)
    describeLifecycle(open)
  })
}
