import { ApprovableAction, Requirement, ShownEffect, SignedApproval } from '@cmdop/protocol'
import type { Selectable, Transaction } from 'kysely'
import { z } from 'zod'
import type {
  ApprovalActionRow,
  ApprovalChange,
  ApprovalRow,
  ApprovalStore,
  ApprovalVoteRow,
  OneAction,
  WholeApproval,
} from '../approval-store.ts'
import { roles } from '../store.ts'
import { addApprovalEvent, createApprovalEventStore } from './sql-approval-events.ts'
import { createGrantStore } from './sql-grants.ts'
import type { Database, Tables } from './tables.ts'
import { isBehind } from './newest-first.ts'

const Texts = z.array(z.string())

/** Rows in one INSERT: far below what a statement has parameters. */
const ADDED_AT_ONCE = 500

/** {@link ApprovalStore} in SQL. */
export function createApprovalStore(db: Database): ApprovalStore {
  return {
    create: async (row, actions, votes = []) => {
      await db.transaction().execute(async (transaction) => {
        await transaction.insertInto('approvals').values(toTable(row)).execute()
        await insertActions(transaction, actions)
        await insertVotes(transaction, votes)
        await addApprovalEvent(transaction, row, row.createdAt)
      })
    },
    get: async (approvalId) => await readWhole(db, approvalId),
    head: async (approvalId) => await readHead(db, approvalId),
    ofMachine: async (approvalId, machineId) => await readWhole(db, approvalId, machineId),
    outline: async (approvalId) => {
      const head = await readHead(db, approvalId)
      if (head === undefined) return undefined
      const members = await db
        .selectFrom('approvalActions')
        .select(['position', 'machineId', 'machineName', 'digest', 'state', 'alike'])
        .where('approvalId', '=', approvalId)
        .orderBy('position')
        .execute()
      return { ...head, members: members.map((member) => ({ ...member, alike: member.alike ?? member.position })) }
    },
    actions: async (approvalId, positions) => {
      if (positions.length === 0) return []
      const rows = await db
        .selectFrom('approvalActions')
        .selectAll()
        .where('approvalId', '=', approvalId)
        .where('position', 'in', positions)
        .orderBy('position')
        .execute()
      return rows.map(actionFromTable)
    },
    ofCall: async (requesterId, callId) => {
      const row = await db
        .selectFrom('approvals')
        .selectAll()
        .where('requesterId', '=', requesterId)
        .where('callId', '=', callId)
        .orderBy('createdAt', 'desc')
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst()
      return row === undefined ? undefined : fromTable(row)
    },
    list: async (fleetId, page) => await listApprovals(db, fleetId, page),
    change: async (approvalId, decide) =>
      await db.transaction().execute(async (transaction) => {
        const whole = await readWhole(transaction, approvalId)
        const change = whole === undefined ? undefined : decide(whole)
        if (whole === undefined || change === undefined) return whole
        await applyChange(transaction, approvalId, change)
        const row = { ...whole.row, ...change.row }
        if (row.state !== whole.row.state) await addApprovalEvent(transaction, row, new Date().toISOString())
        return { row, actions: change.actions ?? whole.actions, votes: change.votes ?? whole.votes }
      }),
    changeAction: async (approvalId, position, decide) =>
      await db.transaction().execute(async (transaction) => {
        const one = await readOne(transaction, approvalId, position)
        const change = one === undefined ? undefined : decide(one)
        if (one === undefined) return undefined
        if (change === undefined) return false
        if (change.row !== undefined) await applyChange(transaction, approvalId, { row: change.row })
        if (change.action !== undefined)
          await transaction
            .updateTable('approvalActions')
            .set(change.action)
            .where('approvalId', '=', approvalId)
            .where('position', '=', position)
            .execute()
        const row = { ...one.row, ...change.row }
        if (row.state !== one.row.state) await addApprovalEvent(transaction, row, new Date().toISOString())
        return true
      }),
    ofFleetRun: async (fleetRunId) => {
      const rows = await db
        .selectFrom('approvals')
        .selectAll()
        .where('fleetRunId', '=', fleetRunId)
        .orderBy('createdAt', 'desc')
        .limit(1000)
        .execute()
      return rows.map(fromTable)
    },
    open: async (select) => {
      const found = db.selectFrom('approvals').select('id')
      const rows =
        'runId' in select
          ? found
              .where('fleetId', '=', select.fleetId)
              .where((eb) => eb.or([eb('runId', '=', select.runId), eb('fleetRunId', '=', select.runId)]))
              .where('state', 'in', ['pending', 'approved', 'executing'])
          : found.where('state', 'in', ['pending', 'approved', 'executing']).where('expiresAt', '<=', select.expiredAt)
      return (await rows.limit(1000).execute()).map(({ id }) => id)
    },
    countPending: async (requesterId) => {
      const { count } = await db
        .selectFrom('approvals')
        .select((eb) => eb.fn.countAll().as('count'))
        .where('requesterId', '=', requesterId)
        .where('state', '=', 'pending')
        .executeTakeFirstOrThrow()
      return Number(count)
    },
    people: async (fleetId) => {
      const rows = await db
        .selectFrom('principals')
        .select(['id', 'role', 'groups'])
        .where('fleetId', '=', fleetId)
        .where('kind', '=', 'human')
        .where('role', '!=', 'viewer')
        .where('removedAt', 'is', null)
        .execute()
      return rows.map(({ id, role, groups }) => ({
        id,
        groups: [...roles.slice(roles.indexOf(role)), ...Texts.parse(JSON.parse(groups))],
      }))
    },
    grants: createGrantStore(db),
    events: createApprovalEventStore(db),
  }
}

async function readHead(
  db: Database | Transaction<Tables>,
  approvalId: string,
): Promise<Pick<WholeApproval, 'row' | 'votes'> | undefined> {
  const row = await db.selectFrom('approvals').selectAll().where('id', '=', approvalId).executeTakeFirst()
  return row && { row: fromTable(row), votes: await readVotes(db, [approvalId]) }
}

/** `machineId`: with the actions there alone. */
async function readWhole(
  db: Database | Transaction<Tables>,
  approvalId: string,
  machineId?: string,
): Promise<WholeApproval | undefined> {
  const head = await readHead(db, approvalId)
  if (head === undefined) return undefined
  const actions = await db
    .selectFrom('approvalActions')
    .selectAll()
    .where('approvalId', '=', approvalId)
    .$if(machineId !== undefined, (q) => q.where('machineId', '=', machineId ?? ''))
    .orderBy('position')
    .execute()
  return { ...head, actions: actions.map(actionFromTable) }
}

async function readOne(
  transaction: Transaction<Tables>,
  approvalId: string,
  position: number,
): Promise<OneAction | undefined> {
  const head = await readHead(transaction, approvalId)
  if (head === undefined) return undefined
  const of = transaction.selectFrom('approvalActions').where('approvalId', '=', approvalId)
  const action = await of.selectAll().where('position', '=', position).executeTakeFirst()
  const counts = await of
    .select(['state', (eb) => eb.fn.countAll().as('count')])
    .where('position', '!=', position)
    .groupBy('state')
    .execute()
  const others = { waiting: 0, executing: 0, over: 0 }
  for (const { state, count } of counts)
    others[state === 'waiting' || state === 'executing' ? state : 'over'] += Number(count)
  return { ...head, action: action && actionFromTable(action), others }
}

async function readVotes(db: Database | Transaction<Tables>, approvalIds: string[]): Promise<ApprovalVoteRow[]> {
  if (approvalIds.length === 0) return []
  return await db
    .selectFrom('approvalVotes')
    .selectAll()
    .where('approvalId', 'in', approvalIds)
    .orderBy('at')
    .orderBy('personId')
    .execute()
}

async function listApprovals(
  db: Database,
  fleetId: string,
  { limit, after, state, runId, machineId }: Parameters<ApprovalStore['list']>[1],
): ReturnType<ApprovalStore['list']> {
  const rows = await db
    .selectFrom('approvals')
    .selectAll()
    .select((eb) =>
      eb
        .selectFrom('approvalActions')
        .select((count) => count.fn.countAll().as('actionCount'))
        .whereRef('approvalActions.approvalId', '=', 'approvals.id')
        .as('actionCount'),
    )
    .where('fleetId', '=', fleetId)
    .$if(state !== undefined, (q) => q.where('state', '=', state ?? 'pending'))
    .$if(runId !== undefined, (q) =>
      q.where((eb) => eb.or([eb('runId', '=', runId ?? ''), eb('fleetRunId', '=', runId ?? '')])),
    )
    .$if(machineId !== undefined, (q) =>
      q.where('id', 'in', (eb) =>
        eb
          .selectFrom('approvalActions')
          .select('approvalId')
          .where('machineId', '=', machineId ?? ''),
      ),
    )
    .where(isBehind('createdAt', after))
    .orderBy('createdAt', 'desc')
    .orderBy('id')
    .limit(limit)
    .execute()
  const votes = await readVotes(
    db,
    rows.map(({ id }) => id),
  )
  return rows.map(({ actionCount, ...row }) => ({
    row: fromTable(row),
    votes: votes.filter(({ approvalId }) => approvalId === row.id),
    actionCount: Number(actionCount),
  }))
}

async function applyChange(
  transaction: Transaction<Tables>,
  approvalId: string,
  { row, actions, votes, revokesGrantsAt }: ApprovalChange,
): Promise<void> {
  if (revokesGrantsAt !== undefined)
    await transaction
      .updateTable('grants')
      .set({ revokedAt: revokesGrantsAt })
      .where('approvalId', '=', approvalId)
      .where('revokedAt', 'is', null)
      .execute()
  if (row !== undefined) {
    const set = changeToTable(row)
    if (Object.keys(set).length > 0)
      await transaction.updateTable('approvals').set(set).where('id', '=', approvalId).execute()
  }
  if (actions !== undefined) {
    await transaction.deleteFrom('approvalActions').where('approvalId', '=', approvalId).execute()
    await insertActions(transaction, actions)
  }
  if (votes !== undefined) {
    await transaction.deleteFrom('approvalVotes').where('approvalId', '=', approvalId).execute()
    await insertVotes(transaction, votes)
  }
}

async function insertVotes(transaction: Transaction<Tables>, votes: readonly ApprovalVoteRow[]): Promise<void> {
  if (votes.length > 0) await transaction.insertInto('approvalVotes').values(votes.slice()).execute()
}

async function insertActions(transaction: Transaction<Tables>, actions: readonly ApprovalActionRow[]): Promise<void> {
  for (let start = 0; start < actions.length; start += ADDED_AT_ONCE) {
    const rows = actions.slice(start, start + ADDED_AT_ONCE).map(actionToTable)
    await transaction.insertInto('approvalActions').values(rows).execute()
  }
}

function toTable({ requirement, lentByIds, fourEyes, deletes, doNotRetry, ...row }: ApprovalRow): Tables['approvals'] {
  return {
    ...row,
    requirement: JSON.stringify(requirement),
    lentByIds: JSON.stringify(lentByIds),
    fourEyes: Number(fourEyes),
    deletes: Number(deletes),
    doNotRetry: Number(doNotRetry),
  }
}

function changeToTable(change: Partial<ApprovalRow>): Partial<Tables['approvals']> {
  const { requirement, lentByIds, fourEyes, deletes, doNotRetry, ...row } = change
  return {
    ...row,
    ...(requirement === undefined ? {} : { requirement: JSON.stringify(requirement) }),
    ...(lentByIds === undefined ? {} : { lentByIds: JSON.stringify(lentByIds) }),
    ...(fourEyes === undefined ? {} : { fourEyes: Number(fourEyes) }),
    ...(deletes === undefined ? {} : { deletes: Number(deletes) }),
    ...(doNotRetry === undefined ? {} : { doNotRetry: Number(doNotRetry) }),
  }
}

function fromTable({ requirement, lentByIds, ...row }: Selectable<Tables['approvals']>): ApprovalRow {
  return {
    ...row,
    requirement: Requirement.parse(JSON.parse(requirement)),
    lentByIds: Texts.parse(JSON.parse(lentByIds)),
    fourEyes: row.fourEyes === 1,
    deletes: row.deletes === 1,
    doNotRetry: row.doNotRetry === 1,
  }
}

function actionToTable({ action, effect, edited, signed, ...row }: ApprovalActionRow): Tables['approvalActions'] {
  return {
    ...row,
    action: JSON.stringify(action),
    effect: textOrNull(effect),
    edited: textOrNull(edited),
    signed: textOrNull(signed),
  }
}

function actionFromTable({
  action,
  effect,
  edited,
  signed,
  ...row
}: Selectable<Tables['approvalActions']>): ApprovalActionRow {
  return {
    ...row,
    alike: row.alike ?? row.position,
    action: ApprovableAction.parse(JSON.parse(action)),
    effect: effect === null ? null : ShownEffect.parse(JSON.parse(effect)),
    edited: edited === null ? null : z.record(z.string(), z.unknown()).parse(JSON.parse(edited)),
    signed: signed === null ? null : SignedApproval.parse(JSON.parse(signed)),
  }
}

function textOrNull(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value)
}
