import { ApprovableAction, EffectDetails, type MethodName } from '@cmdop/protocol'
import type { Logger } from 'pino'
import type { AskService } from '../ask/ask-service.ts'
import type { AuditTrail } from '../audit/audit-trail.ts'
import type { Caller } from '../auth/authenticate.ts'
import { newId } from '../auth/secrets.ts'
import type { Bus } from '../bus/bus.ts'
import type { GoingFleetRuns } from '../fleet-runs/going-fleet-runs.ts'
import type { PermitSigner } from '../permits.ts'
import type { Store } from '../store/store.ts'
import { ApprovalDesk } from './approval-desk.ts'
import { ApprovalWaits } from './approval-waits.ts'
import { FleetQuestions } from './fleet-questions.ts'
import { Questions, type QuestionsOptions } from './questions.ts'

/** How often approvals are looked at whose time is over, in milliseconds. */
const EXPIRE_EVERY_MS = 1000

export interface ApprovalsOptions {
  readonly store: Store
  readonly audit: AuditTrail
  readonly bus: Bus
  readonly signer: PermitSigner
  readonly log: Logger
  readonly judge: QuestionsOptions['judge']
  /** Calls machines for a caller; there only once the switch is. */
  readonly asks: () => AskService
  readonly fleetRuns: GoingFleetRuns
}

/** Everything about approvals of one relay. */
export interface Approvals extends Disposable {
  readonly desk: ApprovalDesk
  readonly waits: ApprovalWaits
  readonly questions: Questions
  readonly fleetQuestions: FleetQuestions
}

/** Puts the approvals of one relay together, and ends those whose time is over until it is disposed of. */
export function createApprovals({
  store,
  audit,
  bus,
  signer,
  log,
  judge,
  asks,
  fleetRuns,
}: ApprovalsOptions): Approvals {
  const ask = (caller: Caller, target: string, method: MethodName, params: object) =>
    asks().answer(caller, { method, target, callId: newId('call_'), params: { ...params } })
  const questions = new Questions({
    store,
    bus,
    judge,
    describe: async (caller, machineId, action) =>
      ApprovableAction.parse(await ask(caller, machineId, 'action.describe', action)),
    readEffect: async (caller, machineId, effectId) => {
      const { info, list } = EffectDetails.parse(await ask(caller, machineId, 'effect.get', { effectId }))
      return { effectId, state: info.state, hash: info.hash, list }
    },
  })
  const desk = new ApprovalDesk({ store, audit, bus, sign: (approval) => signer.signApproval(approval), questions })
  const timer = setInterval(() => {
    desk.expire().catch((err: unknown) => log.warn({ err }, 'approvals could not be looked through'))
  }, EXPIRE_EVERY_MS)
  const fleetQuestions = new FleetQuestions({ store, questions, desk, fleetRuns })
  return {
    desk,
    questions,
    fleetQuestions,
    waits: new ApprovalWaits({ store, bus }),
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
