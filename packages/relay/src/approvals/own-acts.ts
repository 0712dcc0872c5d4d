import { CmdopError, isCmdopError } from '@cmdop/protocol'
import type { AuditTrail } from '../audit/audit-trail.ts'
import { type AuditEntry, systemEntry } from '../audit/entry.ts'
import type {
  ApprovalChange,
  ApprovalRow,
  GrantRow,
  OneAction,
  OneActionChange,
  WholeApproval,
} from '../store/approval-store.ts'
import type { Store } from '../store/store.ts'

/** Grants that are ended at once. */
const GRANTS_AT_ONCE = 500

/** States that an approval gets into without anybody's answer, and the action of that in the audit log. */
const actions: Readonly<Partial<Record<ApprovalRow['state'], string>>> = {
  expired: 'approval.expire',
  void: 'approval.void',
}

export interface OwnActsOptions {
  readonly store: Pick<Store, 'approvals'>
  readonly audit: AuditTrail
  /** An approval may have changed. */
  readonly changed: (row: ApprovalRow) => Promise<void>
}

/** What the relay does with approvals and grants that nobody calls for. */
export class OwnActs {
  readonly #options: OwnActsOptions

  constructor(options: OwnActsOptions) {
    this.#options = options
  }

  /** Changes an approval; where that expires it, or makes it void, between an intent and an outcome in the audit log. */
  async change(id: string, decide: (whole: WholeApproval) => ApprovalChange | undefined): Promise<void> {
    const { store, audit } = this.#options
    const before = await store.approvals.get(id)
    const state = before === undefined ? undefined : decide(before)?.row?.state
    const action = state && actions[state]
    if (before === undefined || action === undefined) return await this.#change(id, decide)
    const { fleetId, runId } = before.row
    const entry = { ...systemEntry(fleetId, action, `approval:${id}`), approvalId: id, runId }
    const work = () =>
      this.#change(id, (whole) => {
        const change = decide(whole)
        if (change?.row?.state !== state) throw meanwhile()
        return change
      })
    await audit.around(entry, work).catch(unlessMeanwhile)
  }

  /** How a call ended that used one action; where that makes the approval void, between an intent and an outcome. */
  async changeAction(
    row: ApprovalRow,
    position: number,
    decide: (one: OneAction) => OneActionChange | undefined,
  ): Promise<void> {
    const { store, audit } = this.#options
    let isVoid = false
    const look = (one: OneAction) => {
      isVoid = decide(one)?.row?.state === 'void'
      return isVoid ? undefined : decide(one)
    }
    await store.approvals.changeAction(row.id, position, look)
    if (isVoid) {
      const { fleetId, runId, id } = row
      const entry = { ...systemEntry(fleetId, 'approval.void', `approval:${id}`), approvalId: id, runId }
      const work = async () => {
        if ((await store.approvals.changeAction(id, position, decide)) !== true) throw meanwhile()
      }
      await audit.around(entry, work).catch(unlessMeanwhile)
    }
    await this.#options.changed(row)
  }

  /** Notes which grants are over since the last time. */
  async endGrants(at: string): Promise<void> {
    const { store, audit } = this.#options
    const { grants } = store.approvals
    for (const grant of await grants.over(at, GRANTS_AT_ONCE)) {
      const work = async () => {
        if (!(await grants.end(grant.id, at))) throw meanwhile()
      }
      await audit.around(grantEntry('grant.expire', grant), work).catch(unlessMeanwhile)
    }
  }

  async #change(id: string, decide: (whole: WholeApproval) => ApprovalChange | undefined): Promise<void> {
    const after = await this.#options.store.approvals.change(id, decide)
    if (after !== undefined) await this.#options.changed(after.row)
  }
}

/** What the audit log says of a grant that is made, or over. */
export function grantEntry(action: 'grant.create' | 'grant.expire', grant: GrantRow): AuditEntry {
  const { id, fleetId, approvalId, machineId, digest, grantedById: onBehalfOf } = grant
  return { ...systemEntry(fleetId, action, `grant:${id}`), approvalId, machineId, digest, onBehalfOf }
}

/** What is to be done is done, or must not be any more. */
export function meanwhile(): CmdopError {
  return new CmdopError('conflict', 'Somebody else has changed it meanwhile.')
}

/** Another relay of the set was faster: what is to be done is done. */
export function unlessMeanwhile(error: unknown): void {
  if (!isCmdopError(error) || error.code !== 'conflict') throw error
}
