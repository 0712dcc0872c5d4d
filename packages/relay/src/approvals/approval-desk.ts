import { hash } from 'node:crypto'
import { type ApprovableAction, type Approval, CmdopError, type Open, type SignedApproval } from '@cmdop/protocol'
import type { AuditTrail } from '../audit/audit-trail.ts'
import type { Caller } from '../auth/authenticate.ts'
import { newId } from '../auth/secrets.ts'
import type { Bus } from '../bus/bus.ts'
import type { Judgement } from '../policy/judgement.ts'
import type {
  ApprovalActionRow,
  ApprovalChange,
  ApprovalOutline,
  ApprovalRow,
  GrantRow,
  Person,
  WholeApproval,
} from '../store/approval-store.ts'
import type { MachineRow, Store } from '../store/store.ts'
import { textOf } from './approval-view.ts'
import { digestOf, planDigest } from './digests.ts'
import { grantEntry, meanwhile, OwnActs, unlessMeanwhile } from './own-acts.ts'
import { actionsOf, ANYBODY, type Described, type Questions } from './questions.ts'
import { noSuchApproval, required, unusable } from './refusals.ts'
import * as transitions from './transitions.ts'

export interface ApprovalDeskOptions {
  readonly store: Store
  readonly audit: AuditTrail
  readonly bus: Bus
  /** Signs with the relay's key. */
  readonly sign: (approval: Omit<Approval, 'relayId'>) => SignedApproval
  readonly questions: Questions
}

/** A call that people allowed. */
export interface Admitted {
  readonly approvalId: string
  readonly signed: SignedApproval
  /**
   * Uses it: the last thing before the call is sent to its machine, so that what people say until then counts. Throws
   * `approval_denied`, `approval_void`.
   */
  readonly begin: () => Promise<void>
  /** How it ended. */
  readonly ended: (how: transitions.HowEnded) => Promise<void>
}

/** Asks people, takes their answers, and hands a call the approval that the machine checks. */
export class ApprovalDesk {
  readonly #options: ApprovalDeskOptions
  readonly #ownActs: OwnActs

  constructor(options: ApprovalDeskOptions) {
    this.#options = options
    this.#ownActs = new OwnActs({ ...options, changed: (row) => this.#tell(row) })
  }

  /**
   * The approval with which a call may run that the policy, or its caller, wants to be asked about. Throws `approval_required`
   * with a question that is new or not yet answered, `approval_denied` and `approval_void`.
   */
  async admit(caller: Caller, open: Open, machine: MachineRow, judgement: Judgement): Promise<Admitted> {
    const { approvals } = this.#options.store
    const { callId, approvalId } = open
    if (approvalId !== undefined) return await this.#take(caller, open, approvalId)
    const asked = await approvals.ofCall(caller.principalId, callId)
    if (asked !== undefined) return await this.#take(caller, open, asked.id)
    const { questions } = this.#options
    const action = await questions.describe(caller, machine.id, open)
    const granted = open.askApproval === true || judgement.deletes ? undefined : await this.#granted(caller, action)
    if (granted !== undefined) return granted
    throw required(await questions.ofCall(caller, open, { machine, judgement, action }))
  }

  /** A person's vote for it. `edited`: other parameters of its one action, which run instead. */
  async approve(
    caller: Caller,
    approvalId: string,
    answer: {
      planDigest: string
      reason: string
      edited?: Record<string, unknown> | undefined
      grantSeconds?: number | undefined
    },
  ): Promise<WholeApproval> {
    const before = await this.find(caller, approvalId)
    const people = await this.#options.store.approvals.people(caller.fleetId)
    const person = personOf(caller, people)
    assertOwnSignIn(caller, before.row)
    if (answer.grantSeconds !== undefined) assertGrantable(before, answer.edited)
    const edited =
      answer.edited === undefined ? undefined : await this.#options.questions.edited(caller, before, answer.edited)
    if (edited?.row.deletes === true && answer.grantSeconds !== undefined) throw notGranted()
    const at = new Date().toISOString()
    const { planDigest, reason } = answer
    const after = await this.#change(before.row, (whole) =>
      this.#signed(whole, transitions.approved(whole, { person, planDigest, reason, at, people, edited })),
    )
    if (answer.grantSeconds !== undefined && after.row.state === 'approved')
      await this.#grant(after, person.id, answer.grantSeconds)
    return after
  }

  /** A person's vote against it. Throws `conflict` where it comes too late, or may: then it is put down all the same. */
  async deny(
    caller: Caller,
    approvalId: string,
    answer: { reason: string; doNotRetry: boolean },
  ): Promise<WholeApproval> {
    const before = await this.find(caller, approvalId)
    const person = personOf(caller, await this.#options.store.approvals.people(caller.fleetId))
    const at = new Date().toISOString()
    const after = await this.#change(before.row, (whole) => transitions.denied(whole, { ...answer, person, at }))
    if (after.row.state !== 'denied') throw transitions.tooLate()
    return after
  }

  /** The requester does not want it any more. Throws `permission` for anybody else's. */
  async withdraw(caller: Caller, approvalId: string): Promise<WholeApproval> {
    const { row } = await this.find(caller, approvalId)
    if (row.requesterId !== caller.principalId && row.personId !== caller.principalId)
      throw new CmdopError('permission', 'Only who asked withdraws a question; deny it instead.')
    return await this.#change(row, (whole) => transitions.withdrawn(whole, new Date().toISOString()))
  }

  /** An approval of the caller's fleet. Throws `not_found`. */
  async find(caller: Pick<Caller, 'fleetId'>, approvalId: string): Promise<WholeApproval> {
    const found = await this.#options.store.approvals.get(approvalId)
    if (found === undefined || found.row.fleetId !== caller.fleetId) throw noSuchApproval()
    return found
  }

  /**
   * Approves what people have approved already, as part of another approval that still holds, in a later generation of its fleet run: by
   * the same votes, until the same time. Throws `conflict` where that was done in this generation.
   */
  async repeat(
    { row: former, votes }: ApprovalOutline,
    { described, generation }: { readonly described: readonly Described[]; readonly generation: number },
  ): Promise<ApprovalRow> {
    const { approvals } = this.#options.store
    // One id for all who ask at once: of these one gets it.
    const id = `apr_${hash('sha256', `cmdop-approval-repeated-v1\n${former.id}\n${generation}`).slice(0, 32)}`
    const at = new Date().toISOString()
    const digests = described.map(({ action: { digest } }) => digest)
    const own = { id, state: 'approved' as const, planDigest: planDigest(digests), createdAt: at, decidedAt: at }
    const row = {
      ...former,
      ...own,
      fleetRunGeneration: generation,
      reason: `Approved before, as ${former.id}. ${former.reason}`.slice(0, 4096),
    }
    const again = votes.map((vote) => ({ ...vote, approvalId: id }))
    const whole = { row, actions: actionsOf(id, described), votes: again }
    const { actions = [] } = this.#signed(whole, { row: { state: 'approved' } }) ?? {}
    await approvals.create(row, actions, again)
    await this.#tell(row)
    return row
  }

  /** What belongs to a run that is over is asked no more. `until`: but what was asked since, by who goes on with it already. */
  async voidRun(run: { readonly fleetId: string; readonly runId: string; readonly until?: string }): Promise<void> {
    const { fleetId, runId, until } = run
    const at = new Date().toISOString()
    const over = (whole: WholeApproval) =>
      until !== undefined && whole.row.createdAt > until ? undefined : transitions.withdrawn(whole, at)
    for (const id of await this.#options.store.approvals.open({ fleetId, runId })) await this.#ownActs.change(id, over)
  }

  /** Ends what nobody decided, or used, in time, and the grants whose time is over. */
  async expire(at: string = new Date().toISOString()): Promise<void> {
    const ids = await this.#options.store.approvals.open({ expiredAt: at })
    const ended = await Promise.allSettled([
      ...ids.map((id) => this.#ownActs.change(id, (whole) => transitions.expired(whole, at))),
      this.#ownActs.endGrants(at),
    ])
    // One that cannot be read keeps none of the others open.
    for (const each of ended) if (each.status === 'rejected') throw each.reason
  }

  async #take(caller: Caller, open: Open, approvalId: string): Promise<Admitted> {
    const found = await this.#options.store.approvals.ofMachine(approvalId, open.target)
    if (found === undefined || found.row.fleetId !== caller.fleetId) throw noSuchApproval()
    const { row, actions, votes } = found
    const at = new Date().toISOString()
    if (row.state === 'pending' && row.expiresAt > at) throw required({ row })
    if (row.state === 'denied' || (row.state === 'expired' && row.decidedAt === null)) throw await this.#denial(row)
    if (row.fleetRunId !== (open.fleetRunId ?? null)) throw unusable('is of another fleet run')
    const action = await this.#actionOf(caller, open, actions)
    const use = { callId: open.callId, requester: requesterOf(caller) }
    // What cannot be used now is refused before anything is written down of it.
    transitions.used({ row, action, votes }, { ...use, at })
    return this.#admitted(row, action, use)
  }

  /** Which action of a plan a call is: the machine says what it would do, where there are several for it. */
  async #actionOf(
    caller: Caller,
    { target, method, params }: Open,
    actions: readonly ApprovalActionRow[],
  ): Promise<ApprovalActionRow> {
    const [only, second] = actions
    if (only === undefined) throw unusable('is for another machine')
    if (second === undefined) return only
    for (const action of actions) {
      const { words } = action.action
      const described = await this.#options.questions.describe(caller, target, { method, params }, words)
      if (digestOf(described) === action.digest) return action
    }
    throw unusable('is for something else than this')
  }

  #admitted(row: ApprovalRow, { signed, position }: ApprovalActionRow, use: Omit<transitions.Use, 'at'>): Admitted {
    if (signed === null) throw unusable('was not signed by this relay')
    const { approvals } = this.#options.store
    const { callId } = use
    // Another call of this id may have used it, and be with its machine.
    let held: 'no' | 'by-this' | 'by-another' = 'no'
    const begin = async () => {
      try {
        await approvals.changeAction(row.id, position, (one) => {
          held = one.action?.state === 'waiting' ? 'by-this' : 'by-another'
          return transitions.used(one, { ...use, at: new Date().toISOString() })
        })
        await this.#tell(row)
      } catch (error) {
        const now = await approvals.head(row.id)
        throw now?.row.state === 'denied' ? await this.#denial(now.row) : error
      }
      // Nothing is sent yet: what was said while that was written and told counts too.
      const now = await approvals.head(row.id)
      if (now !== undefined && transitions.isDenied(now.votes))
        throw await this.#denial({ ...now.row, state: 'denied' })
    }
    const ended = async (how: transitions.HowEnded) => {
      const was = held
      if (how === 'unused') held = 'no'
      // What was not taken of this says nothing about the other.
      if (was === 'no' || (was === 'by-another' && (how === 'unused' || how === 'refused'))) return
      const at = new Date().toISOString()
      await this.#ownActs.changeAction(row, position, (one) => transitions.ended(one, { callId, how, at }))
    }
    return { approvalId: row.id, signed, begin, ended }
  }

  /** What is approved is signed at once, as it is now: nobody who changes the row later changes what may run. */
  #signed(whole: WholeApproval, change: ApprovalChange | undefined): ApprovalChange | undefined {
    if (change?.row?.state !== 'approved') return change
    const row = { ...whole.row, ...change.row }
    const votes = change.votes ?? whole.votes
    const shown = change.actions ?? whole.actions
    const isWhole = shown.every(({ action, digest }) => digestOf(action) === digest)
    if (!isWhole || planDigest(shown.map(({ digest }) => digest)) !== row.planDigest)
      throw new CmdopError(
        'integrity',
        'What is stored of this approval does not fit its digest; nothing was approved.',
      )
    const approvedBy = votes.filter(({ vote }) => vote === 'approve').map(({ personId }) => personId)
    const sign = ({ action, digest, machineId, position }: ApprovalActionRow) =>
      this.#options.sign({
        version: 1,
        approvalId: row.id,
        useId: `${row.id}:${position}`,
        fleetId: row.fleetId,
        machineId,
        actionDigest: digest,
        planDigest: row.planDigest,
        words: action.words,
        requesterId: row.requesterId,
        requesterKind: row.requesterKind,
        requirement: row.requirement,
        approvedBy,
        expiresAt: Date.parse(row.expiresAt),
      })
    const actions = shown.map((action) => ({ ...action, signed: sign(action) }))
    return { ...change, actions }
  }

  /** A grant is good while who gave it may still decide. */
  async #mayDecide(fleetId: string, personId: string): Promise<boolean> {
    const people = await this.#options.store.approvals.people(fleetId)
    return people.some(({ id }) => id === personId)
  }

  async #granted(caller: Caller, action: ApprovableAction): Promise<Admitted | undefined> {
    const { grants } = this.#options.store.approvals
    const now = new Date().toISOString()
    const digest = digestOf(action)
    const inForce = await grants.inForce(caller.principalId, action.machineId, now)
    const kind = caller.principal.kind
    const grant = inForce.find((each) => each.digest === digest && each.grantedToKind === kind)
    if (grant === undefined || !(await this.#mayDecide(caller.fleetId, grant.grantedById))) return undefined
    const signed = this.#options.sign({
      version: 1,
      approvalId: grant.approvalId,
      useId: newId('use_'),
      fleetId: grant.fleetId,
      machineId: grant.machineId,
      actionDigest: digest,
      planDigest: planDigest([digest]),
      words: action.words,
      requesterId: caller.principalId,
      requesterKind: caller.principal.kind,
      requirement: ANYBODY,
      approvedBy: [grant.grantedById],
      expiresAt: Date.parse(grant.expiresAt),
    })
    const begin = async () => {
      if (!(await grants.use(grant.id, new Date().toISOString()))) throw unusable('was a grant that has ended')
    }
    return { approvalId: grant.approvalId, signed, begin, ended: async () => {} }
  }

  async #grant({ row, actions }: WholeApproval, personId: string, seconds: number): Promise<void> {
    const [action] = actions
    if (action === undefined) return
    const now = Date.now()
    const grant: GrantRow = {
      id: newId('grt_'),
      fleetId: row.fleetId,
      approvalId: row.id,
      machineId: action.machineId,
      digest: action.digest,
      text: textOf(action),
      words: action.action.words,
      grantedToId: row.requesterId,
      grantedToKind: row.requesterKind,
      grantedById: personId,
      createdAt: new Date(now).toISOString(),
      expiresAt: new Date(now + seconds * 1000).toISOString(),
      revokedAt: null,
      endedAt: null,
      uses: 0,
    }
    const create = async () => {
      if (!(await this.#options.store.approvals.grants.create(grant))) throw meanwhile()
    }
    await this.#options.audit.around(grantEntry('grant.create', grant), create).catch(unlessMeanwhile)
  }

  async #denial(row: ApprovalRow): Promise<CmdopError> {
    const votes = (await this.#options.store.approvals.head(row.id))?.votes ?? []
    const vote = votes.find((each) => each.vote === 'deny')
    const { id: approvalId, doNotRetry, state } = row
    const details = { approvalId, reason: vote?.reason ?? '', by: vote?.personName ?? null, doNotRetry, state }
    if (vote === undefined)
      return new CmdopError('approval_denied', 'Nobody approved it in time; nothing ran.', { details })
    const why = vote.reason === '' ? '' : ` Reason: ${vote.reason}`
    const again = doNotRetry ? ' Do not ask for it again.' : ''
    return new CmdopError('approval_denied', `${vote.personName} rejected it; nothing ran.${why}${again}`, { details })
  }

  async #change(
    row: ApprovalRow,
    decide: (whole: WholeApproval) => ApprovalChange | undefined,
  ): Promise<WholeApproval> {
    const after = await this.#options.store.approvals.change(row.id, decide)
    if (after === undefined) throw noSuchApproval()
    await this.#tell(after.row)
    return after
  }

  async #tell({ fleetId, id }: ApprovalRow): Promise<void> {
    await this.#options.bus.publish({ type: 'approval-changed', fleetId, approvalId: id })
  }
}

function requesterOf({ principalId: id, principal: { kind } }: Caller): transitions.Requester {
  return { id, kind }
}

function personOf({ principal, principalId }: Caller, people: readonly Person[]): Person & { name: string } {
  const person = people.find(({ id }) => id === principalId)
  if (principal.kind !== 'human' || person === undefined)
    throw new CmdopError('permission', 'Only a person of the fleet decides about an approval.')
  return { ...person, name: principal.name }
}

/** Who asks may have the key or the code that he made for another person: that is not another person's vote. */
function assertOwnSignIn({ lenders }: Caller, row: ApprovalRow): void {
  const askers = transitions.askersOf(row)
  if (!row.fourEyes || !lenders.some((lender) => askers.includes(lender))) return
  throw new CmdopError(
    'permission',
    'Who asks has made the key or the sign-in code that you use. Sign in with your authenticator, or a code that you asked for.',
  )
}

function assertGrantable({ row, actions }: WholeApproval, edited: unknown): void {
  if (row.deletes && edited === undefined) throw notGranted()
  if (row.requirement.reduce((sum, { n }) => sum + n, 0) > 1)
    throw new CmdopError(
      'permission',
      'What needs more than one person is asked about each time; approve it without a grant.',
    )
  if (actions.length !== 1) throw new CmdopError('unsupported', 'Only an approval of one action can be granted again.')
}

function notGranted(): CmdopError {
  return new CmdopError('permission', 'What deletes is asked about each time; approve it without a grant.')
}
