import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { Approval, approvalText, CmdopError, type Open, type Permit, type SignedApproval } from '@cmdop/protocol'
import { actionDigest, describeAction, type Surroundings } from './describe-action.ts'
import type { UsedApprovals } from './used-approvals.ts'

export interface ApprovalCheckerOptions extends Surroundings {
  /** Where the machine is now, and the relay's key as pinned at enrolment (SPKI PEM). */
  readonly state: Readonly<Record<'fleetId' | 'relayId' | 'relayPublicKey', string>>
  readonly used: UsedApprovals
  /** Milliseconds since 1970, by the relay's clock. */
  readonly now: () => number
}

/**
 * Lets a call that needed a person's approval through only with one that the pinned relay has signed for exactly what would run
 * here now, in time and once. The relay decides which calls need one; its permit says so.
 */
export class ApprovalChecker {
  readonly #options: ApprovalCheckerOptions
  readonly #key: KeyObject

  constructor(options: ApprovalCheckerOptions) {
    this.#options = options
    this.#key = createPublicKey(options.state.relayPublicKey)
  }

  /** Throws `approval_void` for whatever is wrong; an approval that passed is used up. */
  async check({ method, params, approval: signed }: Open, permit: Permit): Promise<void> {
    const approval = this.#read(signed)
    const { machineId, state, now, used } = this.#options
    const { fleetId, relayId } = state
    if (approval.approvalId !== permit.approvalId) throw refused('is not the one that the permit is for')
    if (approval.machineId !== machineId) throw refused('is for another machine')
    if (approval.fleetId !== fleetId || approval.relayId !== relayId) throw refused('is of another fleet or relay')
    if (approval.requesterId !== permit.principalId || approval.requesterKind !== permit.principalKind)
      throw refused('is for another requester')
    if (approval.expiresAt <= now()) throw refused('has expired')
    const { words } = approval
    const digest = actionDigest(await describeAction({ method, params, words }, permit, this.#options))
    if (digest !== approval.actionDigest) throw refused('is for something else than would run now')
    if (!(await used.use(approval.useId, approval.expiresAt)))
      throw new CmdopError('approval_void', 'The approval was used before; it is good for one call.', {
        details: { used: true },
      })
  }

  #read(signed: SignedApproval | undefined): Approval {
    if (signed === undefined) throw refused('is missing')
    const signature = Buffer.from(signed.signature, 'base64url')
    if (!verify(null, Buffer.from(approvalText(signed.body)), this.#key, signature))
      throw refused('is not signed by the relay')
    const approval = Approval.safeParse(JSON.parse(signed.body))
    if (!approval.success) throw refused('has a form that this daemon does not know')
    return approval.data
  }
}

function refused(why: string): CmdopError {
  return new CmdopError('approval_void', `The machine runs nothing: the approval ${why}.`)
}
