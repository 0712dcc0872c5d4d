import { expect, test } from 'vitest'
import { createMemoryBus } from '../bus/memory-bus.ts'
import type { FleetRunRow } from '../store/fleet-run-store.ts'
import { addFleet } from '../store/conformance/world.ts'
import { openTemporaryStore } from '../store/sqlite/temporary-store.ts'
import { GoingFleetRuns } from './going-fleet-runs.ts'

const AT = '2030-01-01T00:00:00.000Z'

/** A run, and what one relay of a set knows of it, by a clock that stands still. */
async function startKnowing() {
  const opened = new AsyncDisposableStack()
  const { store } = opened.use(await openTemporaryStore())
  const { fleet, owner } = await addFleet(store)
  const bus = opened.use(createMemoryBus())
  const runs = opened.use(new GoingFleetRuns({ store, bus, now: () => 0 }))
  const row: FleetRunRow = {
    id: 'run_1',
    fleetId: fleet.id,
    principalId: owner.id,
    kind: 'exec',
    title: '',
    plan: '{}',
    planDigest: 'ab'.repeat(32),
    state: 'running',
    stop: null,
    wait: null,
    continuedWave: 0,
    generation: 0,
    epoch: 1,
    cancelRequestedAt: null,
    createdAt: AT,
    updatedAt: AT,
  }
  await store.fleetRuns.create(row, [])
  const call = async () => {
    await runs.assertOwn({ fleetId: fleet.id, principalId: owner.id }, row.id)
    runs.assertGoing(row.id, 'exec')
  }
  const turn = (state: FleetRunRow['state']) => store.fleetRuns.change(row.id, AT, () => ({ state }))
  const tell = (isCancelled: boolean) => bus.publish({ type: 'fleet-run-changed', runId: row.id, isCancelled })
  return { runs, row, call, turn, tell, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

test('that somebody went on with a run lets nothing of it through when it comes after that it was cancelled', async () => {
  await using known = await startKnowing()
  await known.call()
  await known.turn('cancelled')
  await known.tell(true)
  await expect(known.call()).rejects.toMatchObject({ code: 'cancelled' })
  // A relay that has told before it was cancelled is heard after it.
  await known.tell(false)
  // Of a call that was looked at before, too.
  expect(() => known.runs.assertGoing(known.row.id, 'exec')).toThrow(expect.objectContaining({ code: 'cancelled' }))
  await expect(known.call()).rejects.toMatchObject({ code: 'cancelled' })
})

test('a run that is done again after it was cancelled goes on at once', async () => {
  await using known = await startKnowing()
  await known.turn('cancelled')
  await expect(known.call()).rejects.toMatchObject({ code: 'cancelled' })
  await known.turn('running')
  await known.tell(false)
  await expect(known.call()).resolves.toBeUndefined()
})
