import { type CmdopError, isCmdopError, type Open } from '@cmdop/protocol'
import type { Admitted, ApprovalDesk } from '../approvals/approval-desk.ts'
import { deniedByPolicy } from '../approvals/questions.ts'
import type { Caller } from '../auth/authenticate.ts'
import type { Judgement } from '../policy/judgement.ts'
import type { PolicyDesk } from '../policy/policy-desk.ts'
import type { MachineRow } from '../store/store.ts'

export interface AdmissionOptions {
  readonly judge: PolicyDesk['judge']
  readonly approvals: ApprovalDesk
}

/** What the policy says of a call, and people, where it asks them. */
export class Admission {
  readonly #options: AdmissionOptions

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /**
   * The approval that a call runs with; undefined where nobody has to be asked. Throws `policy_denied`, `approval_required`,
   * `approval_denied` and `approval_void`.
   */
  async admit(
    caller: Caller,
    open: Open,
    machine: MachineRow,
  ): Promise<{ judgement: Judgement; admitted: Admitted | undefined }> {
    const judgement = await this.#options.judge(caller.principal.kind, open, machine)
    if (judgement.decision === 'deny') throw deniedByPolicy(judgement)
    const isAsked = judgement.decision === 'ask' || open.askApproval === true || open.approvalId !== undefined
    if (!isAsked) return { judgement, admitted: undefined }
    return { judgement, admitted: await this.#options.approvals.admit(caller, open, machine, judgement) }
  }
}

/** What an outcome means for the approval that a call ran with; undefined: nothing. */
export function howEnded(outcome: Uint8Array | CmdopError): 'done' | 'failed' | 'refused' | undefined {
  if (!isCmdopError(outcome)) return 'done'
  // The call that has used it goes on, or has ended by itself.
  if (outcome.details['used'] === true) return undefined
  return outcome.code === 'approval_void' ? 'refused' : 'failed'
}
