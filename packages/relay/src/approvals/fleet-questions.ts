import { CmdopError, type FleetApprovalAsked, type FleetApprovalRequest, toCmdopError } from '@cmdop/protocol'
import type { z } from 'zod'
import type { Caller } from '../auth/authenticate.ts'
import type { GoingFleetRuns } from '../fleet-runs/going-fleet-runs.ts'
import type { ApprovalOutline, ApprovalRow, Person } from '../store/approval-store.ts'
import type { FleetRunStanding } from '../store/fleet-run-store.ts'
import type { MachineRow, Store } from '../store/store.ts'
import type { ApprovalDesk } from './approval-desk.ts'
import { summaryOf } from './approval-view.ts'
import { unlessMeanwhile } from './own-acts.ts'
import { ANYBODY, type Described, inWindow, type Questions, ruleOfPlan, type Wanted } from './questions.ts'
import { isMet } from './quorum.ts'
import { askersOf, isDenied } from './transitions.ts'

export interface FleetQuestionsOptions {
  readonly store: Store
  readonly questions: Questions
  readonly desk: ApprovalDesk
  readonly fleetRuns: GoingFleetRuns
}

/** What a script asks, of one of its runs. */
export type FleetQuestion = z.output<typeof FleetApprovalRequest> & { readonly runId: string }

type LeftOut = FleetApprovalAsked['left_out'][number]

/** Asks people about what a fleet run is to do on several machines, and not again about what they have approved of it. */
export class FleetQuestions {
  readonly #options: FleetQuestionsOptions

  constructor(options: FleetQuestionsOptions) {
    this.#options = options
  }

  /**
   * The question, or the answer that there is. Machines that cannot be asked about are left out. Throws `not_found`, `permission`,
   * `cancelled` where the run was cancelled, `conflict` where it is over otherwise, and `rate_limit`.
   */
  async ask(
    caller: Caller,
    question: FleetQuestion,
    permitted: (machineId: string, method: string) => Promise<MachineRow>,
  ): Promise<FleetApprovalAsked> {
    const { store, fleetRuns, desk } = this.#options
    const { runId } = question
    await fleetRuns.assertOwn(caller, runId)
    const before = await store.fleetRuns.standing(runId)
    if (before !== undefined && isOver(before) && before.state !== 'cancelled')
      throw new CmdopError('conflict', `The fleet run is ${before.state}; go on with it before you ask people.`)
    const { described, left_out } = await this.#describe(caller, question.actions, permitted)
    if (described.length === 0) return { approval: null, left_out }
    const row = await this.#known(caller, question, described)
    // What has ended the run meanwhile has not seen this question.
    const standing = await store.fleetRuns.standing(runId)
    if (standing !== undefined && isOver(standing)) await desk.voidRun({ fleetId: caller.fleetId, runId })
    const outline = await store.approvals.outline(row.id)
    if (outline === undefined) throw new CmdopError('server', 'The question is not there any more.')
    return { approval: summaryOf({ ...outline, actionCount: outline.members.length }), left_out }
  }

  async #describe(
    caller: Caller,
    actions: readonly Wanted[],
    permitted: (machineId: string, method: string) => Promise<MachineRow>,
  ): Promise<{ readonly described: Described[]; readonly left_out: LeftOut[] }> {
    const { questions } = this.#options
    const all = await inWindow(actions, async (wanted): Promise<Described | LeftOut> => {
      try {
        return await questions.judged(caller, await permitted(wanted.machine_id, wanted.method), wanted)
      } catch (cause) {
        const { code, message, details } = toCmdopError(cause, 'server', 'The relay could not ask the machine.')
        return { machine_id: wanted.machine_id, code, message, details }
      }
    })
    const left_out = all.filter((each) => 'code' in each)
    return { described: all.filter((each) => 'action' in each), left_out }
  }

  /** The newest question of this run about all of it, if its answer holds, one like an approval that does, or a new one. */
  async #known(caller: Caller, question: FleetQuestion, described: readonly Described[]): Promise<ApprovalRow> {
    const { store, questions, desk } = this.#options
    const { title, reason, requirement = ANYBODY, model = null, runId: fleetRunId } = question
    const at = new Date().toISOString()
    const { generation = 0 } = (await store.fleetRuns.standing(fleetRunId)) ?? {}
    const all = (await store.approvals.ofFleetRun(fleetRunId)).filter((row) => isOf(row, caller))
    const own = all.filter((row) => row.expiresAt > at && isSame(row.requirement, requirement))
    const people = await store.approvals.people(caller.fleetId)
    for (const { id, state } of own) {
      const outline = state === 'void' || state === 'expired' ? undefined : await store.approvals.outline(id)
      if (outline === undefined || !covers(outline, described)) continue
      if (isDenied(outline.votes)) {
        if (question.again) continue
        return outline.row
      }
      if (state !== 'done' && covers(outline, described, ['waiting', 'executing'])) return outline.row
      if (state === 'pending' || !holds(outline, people)) continue
      // Whoever goes on with the same try of it gets no second one: the calls that used it are asked for.
      if (generationOf(outline.row) >= generation) return outline.row
      if (outline.row.deletes || described.some(({ judgement }) => judgement.deletes)) continue
      if (await this.#isAskedIn(generation, { all, described })) continue
      const repeated = await desk.repeat(outline, { described, generation }).catch(unlessMeanwhile)
      // Somebody who asked at the same time has it.
      return repeated ?? (await this.#known(caller, question, described))
    }
    const rule = ruleOfPlan(described)
    const run = { runId: null, fleetRunId, fleetRunGeneration: generation, agentType: null, model }
    const { expires_in_seconds: expiresInSeconds } = question
    const draft = { title, reason, rule, described, callId: null, requirement, expiresInSeconds, run }
    return (await questions.ask(caller, draft)).row
  }

  /** Whether any of it was asked about, or repeated, in this generation: one that is void now may have been used before. */
  async #isAskedIn(
    generation: number,
    { all, described }: { readonly all: readonly ApprovalRow[]; readonly described: readonly Described[] },
  ): Promise<boolean> {
    const { approvals } = this.#options.store
    const digests = new Set(described.map(({ action }) => action.digest))
    for (const row of all) {
      if (generationOf(row) !== generation) continue
      const outline = await approvals.outline(row.id)
      if (outline?.members.some(({ digest }) => digests.has(digest)) === true) return true
    }
    return false
  }
}

function isOf({ requesterId, requesterKind }: ApprovalRow, { principalId, principal }: Caller): boolean {
  return requesterId === principalId && requesterKind === principal.kind
}

function generationOf({ fleetRunGeneration }: ApprovalRow): number {
  return fleetRunGeneration ?? 0
}

function isOver({ state }: FleetRunStanding): boolean {
  return state !== 'running' && state !== 'paused'
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

/** Whether exactly this is in it for each machine, and, with `states`, not over there. */
function covers({ members }: ApprovalOutline, described: readonly Described[], states?: readonly string[]): boolean {
  const usable = members.filter(({ state }) => states === undefined || states.includes(state))
  const digests = new Set(usable.map(({ digest }) => digest))
  return described.every(({ action }) => digests.has(action.digest))
}

/** Whether those who approved it may still, and are enough. */
function holds({ row, votes }: ApprovalOutline, people: readonly Person[]): boolean {
  const voters = new Set(votes.map(({ personId }) => personId))
  return isMet(
    row.requirement,
    people.filter(({ id }) => voters.has(id) && !(row.fourEyes && askersOf(row).includes(id))),
  )
}
