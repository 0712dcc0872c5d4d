import type { Approvals } from '../approvals/create-approvals.ts'
import type { AskService } from '../ask/ask-service.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { AuditTrail } from '../audit/audit-trail.ts'
import type { Bus } from '../bus/bus.ts'
import type { MachineWatches } from '../machines/machine-watches.ts'
import type { Pings } from '../machines/pings.ts'
import type { RunReach } from '../channel/run-reach.ts'
import type { ScheduleDesk } from '../schedules/schedule-desk.ts'
import type { Notifications } from '../notifications/create-notifications.ts'
import type { PolicyDesk } from '../policy/policy-desk.ts'
import type { CodeMailer } from '../login/mail.ts'
import type { Blobs } from '../recordings/blobs.ts'
import type { RunJournals } from '../runs/run-journals.ts'
import type { PageSignIn } from '../pages/sign-in.ts'
import type { Metrics } from './metrics.ts'
import type { Store } from '../store/store.ts'
import type { Tunnels } from '../tunnels/create-tunnels.ts'

/** What the routes work with. */
export interface HttpContext {
  readonly store: Store
  /** Writes the audit log. */
  readonly audit: AuditTrail
  /** What is read of it: checkpoints, and who signs. */
  readonly auditLog: AuditLog
  /** Contents of recordings. */
  readonly blobs: Blobs
  readonly bus: Bus
  readonly pings: Pings
  /** Who watches what becomes of machines. */
  readonly watches: MachineWatches
  readonly runs: RunJournals
  readonly reach: RunReach
  readonly asks: AskService
  readonly approvals: Approvals
  readonly policies: PolicyDesk
  /** Absent where no mail server is set. */
  readonly mailer: CodeMailer | undefined
  readonly notifications: Notifications
  readonly schedules: ScheduleDesk
  readonly tunnels: Tunnels
  /** How people sign in to the pages. */
  readonly pageSignIn: PageSignIn
  /** Where people reach this relay, without a slash at its end. */
  readonly publicUrl: () => string
  /** How often one address may try to sign in. */
  readonly signInsPerMinute: number
  /** Milliseconds between the signs of life of a stream of events. */
  readonly heartbeatMs: number
  readonly relayId: string
  /** SPKI PEM. */
  readonly relayPublicKey: string
  readonly metrics: Metrics
  isDraining(): boolean
}
