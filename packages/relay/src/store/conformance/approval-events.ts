import { describe, expect, it } from 'vitest'
import type { ApprovalRow } from '../approval-store.ts'
import type { Store } from '../store.ts'
import { addFleet, at, newId, type OpenStore } from './world.ts'

/** What became of approvals. */
export function describeApprovalEvents(open: OpenStore): void {
  const approvalRow = (fleetId: string): ApprovalRow => ({
    id: newId('approval'),
    fleetId,
    state: 'pending',
    title: 'Look',
    reason: '',
    danger: 'low',
    dangerReason: '',
    rule: 'caller',
    requesterId: 'principal_1',
    requesterName: 'Ada',
    requesterKind: 'human',
    personId: 'principal_1',
    lentByIds: [],
    runId: null,
    fleetRunId: null,
    fleetRunGeneration: null,
    agentType: null,
    model: null,
    callId: null,
    planDigest: 'ab'.repeat(32),
    requirement: [{ from: 'member', n: 1 }],
    fourEyes: false,
    deletes: false,
    editedBy: null,
    editedFrom: null,
    doNotRetry: false,
    createdAt: at(1),
    expiresAt: at(100),
    decidedAt: null,
  })
  const add = async (store: Store, fleetId: string) => {
    const row = approvalRow(fleetId)
    await store.approvals.create(row, [])
    return row.id
  }
  const to = async (store: Store, id: string, state: ApprovalRow['state']) =>
    await store.approvals.change(id, ({ row }) => (row.state === state ? undefined : { row: { state } }))

  describe('events of approvals', () => {
    it('are there once for every state that an approval gets into, in order, also after a restart', async () => {
      await using world = await open()
      const { fleet } = await addFleet(world.store)
      const { fleet: other } = await addFleet(world.store)
      const first = await add(world.store, fleet.id)
      await add(world.store, other.id)
      const second = await add(world.store, fleet.id)
      await Promise.all([1, 2, 3].map(() => to(world.store, first, 'approved')))
      // A vote that does not decide changes no state.
      await world.store.approvals.change(second, () => ({ row: { reason: 'other' } }))
      await to(world.store, first, 'executing')
      const { events } = (await world.reopen()).approvals
      const all = await events.list(fleet.id, { after: 0, limit: 9 })
      expect(all.map(({ approvalId, state }) => [approvalId, state])).toEqual([
        [first, 'pending'],
        [second, 'pending'],
        [first, 'approved'],
        [first, 'executing'],
      ])
      expect(all[0]).toMatchObject({ fleetId: fleet.id, at: at(1) })
      const [, , third, last] = all.map(({ position }) => position)
      expect(await events.list(fleet.id, { after: third ?? 0, limit: 9 })).toEqual(all.slice(3))
      expect(await events.list(fleet.id, { after: 0, limit: 2 })).toEqual(all.slice(0, 2))
      expect(await events.last(fleet.id)).toBe(last)
      expect(await events.last(newId('fleet'))).toBe(0)
      expect(await events.pending(fleet.id, 9)).toEqual([all[1]])
    })

    it('does not change a state without its event, nor the other way round', async () => {
      await using world = await open()
      const { fleet } = await addFleet(world.store)
      const id = await add(world.store, fleet.id)
      const refused = world.store.approvals.change(id, () => {
        throw new Error('no')
      })
      await expect(refused).rejects.toThrow('no')
      expect(await world.store.approvals.events.list(fleet.id, { after: 0, limit: 9 })).toHaveLength(1)
    })

    it('are untold until they are told', async () => {
      await using world = await open()
      const { fleet } = await addFleet(world.store)
      const ids = [await add(world.store, fleet.id), await add(world.store, fleet.id)]
      const { events } = world.store.approvals
      const untold = await events.untold(9)
      expect(untold.map(({ approvalId }) => approvalId)).toEqual(ids)
      expect(await events.untold(1)).toEqual(untold.slice(0, 1))
      await events.told(untold.slice(0, 1).map(({ position }) => position))
      expect(await events.untold(9)).toEqual(untold.slice(1))
      await events.told([])
      expect(await (await world.reopen()).approvals.events.untold(9)).toEqual(untold.slice(1))
    })
  })
}
