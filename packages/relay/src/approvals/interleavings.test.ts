import type { ApprovalState } from '@cmdop/protocol'
import { isCmdopError } from '@cmdop/protocol'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type {
  ApprovalActionRow,
  ApprovalChange,
  ApprovalRow,
  OneAction,
  OneActionChange,
  Person,
  WholeApproval,
} from '../store/approval-store.ts'
import { addFleet, at } from '../store/conformance/world.ts'
import { openTemporaryStore } from '../store/sqlite/temporary-store.ts'
import type { Store } from '../store/store.ts'
import * as transitions from './transitions.ts'

const people: readonly (Person & { name: string })[] = [
  { id: 'asker', name: 'Asker', groups: ['member', 'ops'] },
  { id: 'ada', name: 'Ada', groups: ['member', 'ops'] },
  { id: 'bob', name: 'Bob', groups: ['member', 'security'] },
]
const needed = [
  { from: 'ops', n: 1 },
  { from: 'security', n: 1 },
]
const first = 'plan-one'
const second = 'plan-two'
const EXPIRES_AT = at(100)

/** What somebody does at a moment. Several of them arrive together. */
type Act =
  | { kind: 'approve'; who: number; plan: string; time: number }
  | { kind: 'edit'; who: number; plan: string; time: number }
  | { kind: 'deny'; who: number; time: number }
  | { kind: 'withdraw'; time: number }
  | { kind: 'expire'; time: number }
  | { kind: 'use'; machine: number; call: string; requester: string; time: number }
  | { kind: 'end'; machine: number; call: string; how: transitions.HowEnded; time: number }

const approval = [1, 2].map((each) => ({ kind: 'approve' as const, who: each, plan: first, time: 1 }))
const uses = [0, 1].map((each) => ({
  kind: 'use' as const,
  machine: each,
  call: 'call_one',
  requester: 'prn_asker',
  time: 2,
}))

const who = fc.nat({ max: 2 })
const time = fc.constantFrom(1, 2, 99, 100, 101)
const machine = fc.nat({ max: 1 })
const call = fc.constantFrom('call_one', 'call_two')
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({
    kind: fc.constant('approve' as const),
    who,
    plan: fc.constantFrom(first, first, first, second),
    time: fc.constantFrom(1, 2, 2, 101),
  }),
  fc.record({ kind: fc.constant('edit' as const), who, plan: fc.constant(first), time: fc.constant(2) }),
  fc.record({ kind: fc.constant('deny' as const), who, time }),
  fc.record({ kind: fc.constant('withdraw' as const), time }),
  fc.record({ kind: fc.constant('expire' as const), time }),
  fc.record({
    kind: fc.constant('use' as const),
    machine,
    call,
    requester: fc.constantFrom('prn_asker', 'prn_asker', 'prn_other'),
    time: fc.constantFrom(2, 3, 3, 101),
  }),
  fc.record({
    kind: fc.constant('use' as const),
    machine,
    call,
    requester: fc.constant('prn_asker'),
    time: fc.constant(3),
  }),
  fc.record({
    kind: fc.constant('end' as const),
    machine,
    call,
    how: fc.constantFrom<transitions.HowEnded>('done', 'failed', 'refused', 'unused'),
    time,
  }),
)

test('However answers, uses, aborts and expiry meet, what runs was approved as it is, by enough people, in time and once', async () => {
  await using world = await openTemporaryStore()
  const { fleet } = await addFleet(world.store)
  let made = 0
  let used = 0
  // Most plays begin where people have approved, or where all of it is used: few would come so far by chance.
  const play = fc.asyncProperty(
    fc.constantFrom<Act[][]>([], [approval], [approval, uses]),
    fc.array(fc.array(act, { minLength: 1, maxLength: 3 }), { maxLength: 12 }),
    async (beginning, acts) => {
      const rounds: Act[][] = [...beginning, ...acts]
      made += 1
      const id = `apr_${made}`
      await world.store.approvals.create(approvalRow(id, fleet.id), [actionRow(id, 0), actionRow(id, 1)])
      let isDenied = false
      const runs: { position: number; call: string; plan: string }[] = []
      let before = (await world.store.approvals.get(id)) as WholeApproval
      for (const round of rounds) {
        // Those of a round arrive together, in whatever order the store takes them.
        const outcomes = await Promise.all(round.map((each) => apply(world.store, id, each)))
        const after = (await world.store.approvals.get(id)) as WholeApproval
        for (const [index, each] of round.entries()) {
          if (each.kind !== 'use' || outcomes[index] !== 'ok') continue
          expect(isDenied).toBe(false)
          runs.push({ position: each.machine, call: each.call, plan: after.row.planDigest })
        }
        isDenied ||= round.some(({ kind }) => kind === 'deny')
        assertPath(before.row.state, after.row.state)
        assertSound(after, round)
        before = after
      }
      assertUses(runs, before)
      used += runs.length
    },
  )
  await fc.assert(play, { numRuns: 150 })
  expect(used).toBeGreaterThan(0)
})

/** What becomes of a call, and what the same caller does after it. */
const calls: readonly Act[] = [
  { kind: 'use', machine: 0, call: 'call_one', requester: 'prn_asker', time: 3 },
  { kind: 'end', machine: 0, call: 'call_one', how: 'unused', time: 3 },
  { kind: 'use', machine: 0, call: 'call_two', requester: 'prn_asker', time: 3 },
  { kind: 'use', machine: 0, call: 'call_two', requester: 'prn_asker', time: 3 },
]

test.each([0, 1, 2, 3])(
  'After a denial nothing is sent any more, also where it came after %i acts of a call',
  async (count) => {
    await using world = await openTemporaryStore()
    const { fleet } = await addFleet(world.store)
    await world.store.approvals.create(approvalRow('apr_1', fleet.id), [actionRow('apr_1', 0)])
    for (const each of approval) expect(await apply(world.store, 'apr_1', each)).toBe('ok')
    for (const each of calls.slice(0, count)) expect(await apply(world.store, 'apr_1', each)).toBe('ok')
    await apply(world.store, 'apr_1', { kind: 'deny', who: 2, time: 3 })
    const outcomes: string[] = []
    for (const each of calls.slice(count))
      if ((await apply(world.store, 'apr_1', each)) === 'ok') outcomes.push(each.kind)
    expect(outcomes).not.toContain('use')
    const { row, votes } = (await world.store.approvals.get('apr_1')) as WholeApproval
    expect(votes).toContainEqual(expect.objectContaining({ personId: 'bob', vote: 'deny' }))
    // What is with its machine ends by itself.
    expect(row).toMatchObject({ state: count === 3 ? 'executing' : 'denied', doNotRetry: true })
  },
)

async function apply(store: Store, id: string, given: Act): Promise<string> {
  try {
    const after =
      given.kind === 'use' || given.kind === 'end'
        ? await store.approvals.changeAction(id, given.machine, (one) => actionChangeOf(one, given))
        : await store.approvals.change(id, (whole) => changeOf(whole, given))
    return after === undefined ? 'gone' : 'ok'
  } catch (error) {
    if (!isCmdopError(error)) throw error
    return error.code
  }
}

function changeOf(whole: WholeApproval, given: Exclude<Act, { kind: 'use' | 'end' }>): ApprovalChange | undefined {
  const now = at(given.time)
  const person = people['who' in given ? given.who : 0] as Person & { name: string }
  const answer = { person, reason: '', at: now, people }
  if (given.kind === 'approve') return transitions.approved(whole, { ...answer, planDigest: given.plan })
  if (given.kind === 'edit') {
    const action = { ...(whole.actions[0] as ApprovalActionRow), digest: 'edited' }
    const { title, reason, rule, danger, dangerReason, deletes } = whole.row
    const said = { title, reason, rule, danger, dangerReason, deletes }
    const edited = { action, row: { ...said, planDigest: second, editedBy: person.id, editedFrom: 'former' } }
    return transitions.approved(whole, { ...answer, planDigest: given.plan, edited })
  }
  if (given.kind === 'deny') return transitions.denied(whole, { ...answer, doNotRetry: true })
  if (given.kind === 'withdraw') return transitions.withdrawn(whole, now)
  return transitions.expired(whole, now)
}

function actionChangeOf(one: OneAction, given: Extract<Act, { kind: 'use' | 'end' }>): OneActionChange | undefined {
  const now = at(given.time)
  const { call: callId } = given
  if (given.kind === 'use')
    return transitions.used(one, { callId, requester: { id: given.requester, kind: 'ai' }, at: now })
  return transitions.ended(one, { callId, how: given.how, at: now })
}

/** A state is reached only over its transitions, however many of them one round takes. */
function assertPath(from: ApprovalState, to: ApprovalState): void {
  const reached = new Set<ApprovalState>([from])
  for (const state of reached) for (const next of transitions.transitions[state]) reached.add(next)
  expect([...reached]).toContain(to)
}

function assertSound({ row, votes, actions }: WholeApproval, round: readonly Act[]): void {
  expect(new Set(votes.map(({ personId }) => personId)).size).toBe(votes.length)
  if (row.state === 'approved' || row.state === 'executing' || row.state === 'done') {
    // A denial that comes too late is put down all the same, in place of the person's vote.
    const isTooLate = row.state !== 'approved' && actions.every(({ state }) => state !== 'waiting')
    const voters = votes.filter(({ vote }) => vote === 'approve' || isTooLate).map(({ personId }) => personId)
    // The one of ops beside who asks, and the one of security.
    expect(voters).toEqual(expect.arrayContaining(['ada', 'bob']))
    if (!isTooLate) expect(votes.filter(({ vote }) => vote === 'deny')).toEqual([])
  }
  expect(votes.filter(({ personId, vote }) => personId === 'asker' && vote === 'approve')).toEqual([])
  // Deny wins over whatever came with it, unless all was over before.
  const denies = round.some(({ kind }) => kind === 'deny')
  const ended = ['denied', 'void', 'expired', 'done'].includes(row.state)
  const hasBegun = actions.every(({ state }) => state !== 'waiting')
  if (denies) expect(ended || hasBegun).toBe(true)
  if (row.state === 'done') expect(actions.every(({ state }) => state === 'done' || state === 'failed')).toBe(true)
}

/** A call uses each action once, and no other call the same. */
function assertUses(runs: readonly { position: number; call: string; plan: string }[], { row }: WholeApproval): void {
  if (row.state === 'pending') expect(runs).toEqual([])
  for (const position of [0, 1]) {
    const plans = new Set(runs.filter((run) => run.position === position).map(({ plan }) => plan))
    expect(plans.size).toBeLessThanOrEqual(1)
  }
}

function approvalRow(id: string, fleetId: string): ApprovalRow {
  return {
    id,
    fleetId,
    state: 'pending',
    title: 'restart',
    reason: '',
    danger: 'medium',
    dangerReason: '',
    rule: 'caller',
    requesterId: 'prn_asker',
    requesterName: 'operator',
    requesterKind: 'ai',
    personId: 'asker',
    lentByIds: [],
    runId: null,
    fleetRunId: null,
    fleetRunGeneration: null,
    agentType: null,
    model: null,
    callId: null,
    planDigest: first,
    requirement: needed,
    fourEyes: true,
    deletes: false,
    editedBy: null,
    editedFrom: null,
    doNotRetry: false,
    createdAt: at(0),
    expiresAt: EXPIRES_AT,
    decidedAt: null,
  }
}

function actionRow(approvalId: string, position: number): ApprovalActionRow {
  const none = { command: null, cwd: null, environment: [], words: [], files: [], restrictions: {}, effectHash: null }
  return {
    approvalId,
    position,
    machineId: `mch_${position}`,
    machineName: `web-${position}`,
    digest: `digest-${position}`,
    action: { version: 1, machineId: `mch_${position}`, method: 'facts', params: {}, ...none },
    effect: null,
    state: 'waiting',
    callId: null,
    edited: null,
    signed: null,
    alike: position,
  }
}
