import {
  type ActionDescribeParams,
  type ApprovableAction,
  type ApprovalRequest,
  CARRY_PREFIX,
  CmdopError,
  MAX_APPROVAL_SECONDS,
  type Open,
  type Requirement,
  type ShownEffect,
} from '@cmdop/protocol'
import type { z } from 'zod'
import type { Caller } from '../auth/authenticate.ts'
import { newId } from '../auth/secrets.ts'
import type { Bus } from '../bus/bus.ts'
import type { Judgement } from '../policy/judgement.ts'
import type { JudgedCall, PolicyDesk } from '../policy/policy-desk.ts'
import type { ApprovalActionRow, ApprovalRow, Person, WholeApproval } from '../store/approval-store.ts'
import type { MachineRow, Store } from '../store/store.ts'
import { Alike } from './alike.ts'
import { textOf } from './approval-view.ts'
import { digestOf, planDigest, toolAction } from './digests.ts'
import { isMet } from './quorum.ts'
import { askersOf, type Edit } from './transitions.ts'
import { wordsOf } from './words.ts'

/** Seconds until a call that waits for a person is denied. */
const CALL_EXPIRES_SECONDS = 3600

/** Machines that are asked at once what an action would do. */
const DESCRIBED_AT_ONCE = 32

/** Questions of one principal that may wait at once. */
const MAX_PENDING = 200

/** Who has to approve, unless somebody says otherwise. */
export const ANYBODY: Requirement = [{ from: 'member', n: 1 }]

export interface QuestionsOptions {
  readonly store: Store
  readonly bus: Bus
  /** What the machine says that this would do there. */
  readonly describe: (caller: Caller, machineId: string, action: ActionDescribeParams) => Promise<ApprovableAction>
  /** An effect that is to be applied, for people to look at. */
  readonly readEffect: (caller: Caller, machineId: string, effectId: string) => Promise<ShownEffect>
  readonly judge: PolicyDesk['judge']
}

/** What would run on one machine, and what the policy says of it. */
export interface Described {
  readonly action: Omit<ApprovalActionRow, 'approvalId' | 'position' | 'alike'>
  readonly judgement: Judgement
  /** Of the environment as it was given. */
  readonly env: unknown
}

/** An action that somebody wants to be asked about. */
export interface Wanted {
  readonly machine_id: string
  readonly method: string
  readonly params: Record<string, unknown>
}

/** A question as it is to be asked. */
export interface Draft {
  readonly title: string
  readonly reason: string
  readonly rule: string
  readonly described: readonly Described[]
  readonly callId: string | null
  readonly requirement: Requirement
  readonly expiresInSeconds: number
  readonly run: Pick<ApprovalRow, 'runId' | 'fleetRunId' | 'fleetRunGeneration' | 'agentType' | 'model'>
}

/** Makes the questions: what would run, as the machine says, judged by the policy, bound to its hash. */
export class Questions {
  readonly #options: QuestionsOptions

  constructor(options: QuestionsOptions) {
    this.#options = options
  }

  /** Asks people about a plan before anything of it is called. Throws `permission` and `not_found` for what the requester may not do. */
  async ofPlan(
    caller: Caller,
    request: z.output<typeof ApprovalRequest>,
    permitted: (machineId: string, method: string) => Promise<MachineRow>,
  ): Promise<WholeApproval> {
    const machines = new Map<string, MachineRow>()
    assertTargets(caller, new Set(request.actions.map(({ machine_id }) => machine_id)).size)
    for (const { machine_id: id, method } of request.actions) machines.set(id, await permitted(id, method))
    const operator = { runId: request.run_id }
    const described = await inWindow(request.actions, (wanted) =>
      this.judged(caller, machines.get(wanted.machine_id) as MachineRow, { ...wanted, operator }),
    )
    const { title, reason, requirement = ANYBODY, expires_in_seconds: expiresInSeconds } = request
    const { run_id: runId = null, agent_type: agentType = null, model = null, call_id: callId = null } = request
    const run = { runId, fleetRunId: null, fleetRunGeneration: null, agentType, model }
    const rule = ruleOfPlan(described)
    return this.ask(caller, { title, reason, rule, described, callId, requirement, expiresInSeconds, run })
  }

  /** What would run on one machine, as that says, and what the policy says. Throws what either refuses it with. */
  async judged(
    caller: Caller,
    machine: MachineRow,
    { method, params, operator }: Omit<Wanted, 'machine_id'> & Pick<JudgedCall, 'operator'>,
  ): Promise<Described> {
    const judgement = await this.#options.judge(caller.principal.kind, { method, params, operator }, machine)
    if (judgement.decision === 'deny') throw deniedByPolicy(judgement)
    const action =
      method === 'tool' ? toolAction(machine, params) : await this.describe(caller, machine.id, { method, params })
    return { judgement, action: await this.#row(caller, machine, action), env: params['env'] }
  }

  /** About one call. */
  async ofCall(
    caller: Caller,
    { callId, operator, fleetRunId, params }: Open,
    { machine, judgement, action }: { machine: MachineRow; judgement: Judgement; action: ApprovableAction },
  ): Promise<WholeApproval> {
    const row = await this.#row(caller, machine, action)
    const { runId = null, agentType = null, model = null } = operator ?? {}
    return this.ask(caller, {
      title: titleOf(action, machine),
      reason: judgement.reason,
      rule: ruleOf(judgement),
      described: [{ judgement, action: row, env: params['env'] }],
      callId,
      requirement: ANYBODY,
      expiresInSeconds: CALL_EXPIRES_SECONDS,
      run: { runId, fleetRunId: fleetRunId ?? null, fleetRunGeneration: null, agentType, model },
    })
  }

  async #row(caller: Caller, machine: MachineRow, action: ApprovableAction): Promise<Described['action']> {
    const effectId = action.method === 'effect.apply' ? action.params?.['effectId'] : undefined
    const effect = typeof effectId === 'string' ? await this.#options.readEffect(caller, machine.id, effectId) : null
    const digest = digestOf(action)
    return {
      machineId: machine.id,
      machineName: machine.name,
      digest,
      action,
      effect,
      state: 'waiting',
      callId: null,
      edited: null,
      signed: null,
    }
  }

  /** Asks people. Throws `rate_limit`, and `validation` where nobody could approve it. */
  async ask(caller: Caller, draft: Draft): Promise<WholeApproval> {
    const { store, bus } = this.#options
    if ((await store.approvals.countPending(caller.principalId)) >= MAX_PENDING)
      throw new CmdopError(
        'rate_limit',
        `${MAX_PENDING} of your questions wait for an answer already; wait for people, or withdraw some.`,
      )
    const people = await store.approvals.people(caller.fleetId)
    const personId = caller.principal.actsForId ?? caller.principalId
    const lentByIds = [...new Set(caller.lenders)]
    const askers = askersOf({ personId, lentByIds })
    const fourEyes = (await store.fleets.settings(caller.fleetId))?.fourEyes ?? people.length >= 2
    assertPossible(
      draft.requirement,
      people.filter(({ id }) => !fourEyes || !askers.includes(id)),
    )
    const { described } = draft
    const judgements = described.map(({ judgement }) => judgement)
    const worst = judgements.reduce((one, other) => (rank(other) > rank(one) ? other : one))
    const now = Date.now()
    const id = newId('apr_')
    const row: ApprovalRow = {
      id,
      fleetId: caller.fleetId,
      state: 'pending',
      title: draft.title,
      reason: draft.reason,
      danger: worst.danger,
      dangerReason: worst.dangerReason,
      rule: draft.rule,
      requesterId: caller.principalId,
      requesterName: caller.principal.name,
      requesterKind: caller.principal.kind,
      personId,
      lentByIds,
      ...draft.run,
      callId: draft.callId,
      planDigest: planDigest(described.map(({ action: { digest } }) => digest)),
      requirement: draft.requirement,
      fourEyes,
      deletes: judgements.some(({ deletes }) => deletes),
      editedBy: null,
      editedFrom: null,
      doNotRetry: false,
      createdAt: new Date(now).toISOString(),
      expiresAt: new Date(now + Math.min(draft.expiresInSeconds, MAX_APPROVAL_SECONDS) * 1000).toISOString(),
      decidedAt: null,
    }
    const actions = actionsOf(id, described)
    await store.approvals.create(row, actions)
    await bus.publish({ type: 'approval-changed', fleetId: row.fleetId, approvalId: id })
    return { row, actions, votes: [] }
  }

  /** What the machine says that this would do there. `words`: of its command, those that may name files. */
  async describe(
    caller: Caller,
    machineId: string,
    { method, params }: Pick<Open, 'method' | 'params'>,
    words: readonly string[] = wordsOf(params),
  ): Promise<ApprovableAction> {
    return await this.#options.describe(caller, machineId, { method, params, words: [...words] })
  }

  /**
   * Another version of its one action: with `changes` in its parameters, described by the machine and judged by the policy again, for who
   * asks. Of a command only the command and its directory change. Throws `policy_denied`, `validation`.
   */
  async edited(caller: Caller, { row, actions }: WholeApproval, changes: Record<string, unknown>): Promise<Edit> {
    const [former, second] = actions
    if (former === undefined || second !== undefined)
      throw new CmdopError(
        'unsupported',
        'Only an approval of one action can be edited; deny it, and say what to change.',
      )
    if (row.fleetRunId !== null && row.callId === null)
      throw new CmdopError(
        'unsupported',
        'What a fleet run asks about cannot be edited; deny it, and say what to change.',
      )
    const machine = await this.#options.store.machines.get(former.machineId)
    if (machine === undefined) throw new CmdopError('not_found', 'The machine is not there any more.')
    const { method } = former.action
    const edited = method === 'exec' ? commandChanges(former.action, changes) : changes
    const params = { ...paramsOf(former.action), ...edited }
    const judgement = await this.#options.judge(
      row.requesterKind,
      { method, params, operator: { runId: row.runId } },
      machine,
    )
    if (judgement.decision === 'deny') throw deniedByPolicy(judgement)
    const described =
      method === 'tool' ? toolAction(machine, params) : await this.describe(caller, machine.id, { method, params })
    const { environment, restrictions } = former.action
    const action = { ...described, environment, restrictions }
    const digest = digestOf(action)
    return {
      action: { ...former, action, digest, edited },
      row: {
        planDigest: planDigest([digest]),
        editedBy: caller.principalId,
        editedFrom: row.editedFrom ?? textOf(former),
        title: titleOf(action, machine),
        reason: judgement.reason,
        rule: ruleOf(judgement),
        danger: judgement.danger,
        dangerReason: judgement.dangerReason,
        deletes: judgement.deletes,
      },
    }
  }
}

function titleOf(action: ApprovableAction, { name }: MachineRow): string {
  return `${textOf({ action })} on ${name}`.slice(0, 256)
}

/** The rule that asks; where none does, the caller has. */
function ruleOf({ decision, rule }: Judgement): string {
  return decision === 'ask' ? rule : 'caller'
}

/** What the call has to send, less its variables, which the relay does not know. */
function paramsOf({ method, command, params, cwd }: ApprovableAction): Record<string, unknown> {
  return method === 'exec' ? { command, cwd } : { ...params }
}

/** What carries directory and variables over in an operator's run stays in front. */
function commandChanges(
  { command: former }: ApprovableAction,
  changes: Record<string, unknown>,
): Record<string, unknown> {
  const { command, cwd, ...others } = changes
  const [other] = Object.keys(others)
  if (other !== undefined)
    throw new CmdopError('validation', `Of a command only \`command\` and \`cwd\` can be edited, not ${other}.`)
  const carries = typeof former === 'string' && former.startsWith(CARRY_PREFIX)
  const isPlain = typeof command === 'string' && !command.startsWith(CARRY_PREFIX)
  return {
    ...(command === undefined ? {} : { command: carries && isPlain ? `${CARRY_PREFIX}${command}` : command }),
    ...(cwd === undefined ? {} : { cwd }),
  }
}

/** The rule of the policy that asks about any of it; where none does, the caller has. */
export function ruleOfPlan(described: readonly Described[]): string {
  return described.find(({ judgement }) => judgement.decision === 'ask')?.judgement.rule ?? 'caller'
}

/** What is asked about, in order, as it is kept. */
export function actionsOf(approvalId: string, described: readonly Described[]): ApprovalActionRow[] {
  const alike = new Alike()
  return described.map(({ action, env }, position) => ({
    ...action,
    approvalId,
    position,
    alike: alike.of(action.action, { effect: action.effect, env, position }),
  }))
}

/** Some at once, in order; the first that fails is thrown. */
export async function inWindow<Item, Result>(
  items: readonly Item[],
  make: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const rest = items.entries()
  const work = async () => {
    for (const [index, item] of rest) results[index] = await make(item)
  }
  await Promise.all(Array.from({ length: DESCRIBED_AT_ONCE }, work))
  return results
}

function rank({ danger }: Judgement): number {
  return ['low', 'medium', 'high', 'critical'].indexOf(danger)
}

function assertPossible(requirement: Requirement, people: readonly Person[]): void {
  if (isMet(requirement, people)) return
  const text = requirement.map(({ from, n }) => `${n} of ${from}`).join(' and ')
  throw new CmdopError(
    'validation',
    `Nobody could approve this: the fleet has not enough people for ${text} beside who asks.`,
  )
}

/** How many machines a key may have in one plan. */
function assertTargets({ key }: Caller, machines: number): void {
  if (key.maxTargetsPerRun === null || machines <= key.maxTargetsPerRun) return
  throw new CmdopError(
    'permission',
    `Your key may have at most ${key.maxTargetsPerRun} machines in one plan, not ${machines}.`,
  )
}

/** What the policy does not let anybody do. */
export function deniedByPolicy({ rule, reason, permittedBy }: Judgement): CmdopError {
  return new CmdopError('policy_denied', `The policy denies this (${rule}): ${reason} ${permittedBy}`.trim(), {
    details: { rule, permittedBy },
  })
}
