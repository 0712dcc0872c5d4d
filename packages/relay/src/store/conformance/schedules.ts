import type { ScheduleOverlap } from '@cmdop/protocol'
import { describe, expect, it } from 'vitest'
import type { ScheduleClaim, ScheduleRow, ScheduleRunRow } from '../schedule-store.ts'
import type { Store } from '../store.ts'
import { scheduleResultRow, scheduleRow, scheduleRunRow } from './schedule-rows.ts'
import { addFleet, at, keyRow, newId, type OpenStore, principalRow } from './world.ts'

const lease = (relayInstance: string, seconds = 100) => ({ relayInstance, leaseUntil: at(seconds) })
const end = { status: 'success', finishedAt: at(20), error: '', errorCode: null, counts: { ok: 1 } } as const

/** Schedules, and who fires them. */
export function describeSchedules(open: OpenStore): void {
  const add = async (store: Store, change: Partial<ScheduleRow> = {}) => {
    const { fleet, owner } = await addFleet(store)
    const schedule = scheduleRow(fleet.id, owner.id, change)
    const { id, fleetId, name, createdAt } = schedule
    await store.schedules.create(schedule, {
      id,
      fleetId,
      kind: 'schedule',
      name,
      role: 'owner',
      actsForId: owner.id,
      createdAt,
    })
    return schedule
  }
  const claimOf = (
    schedule: ScheduleRow,
    runs: ScheduleRunRow[],
    overlap: ScheduleOverlap = 'skip',
  ): ScheduleClaim => ({
    schedule: { ...schedule, overlap },
    runs,
    nextRunAt: at(70),
  })
  /** A run of it that goes on. */
  const running = async (store: Store, schedule: ScheduleRow) => {
    const { runs } = await store.schedules.claim([claimOf(schedule, [scheduleRunRow(schedule)])], lease('a'), at(10))
    return runs[0] as ScheduleRunRow
  }

  describe('schedules', () => {
    it('gives every field back as it was given, and after a restart', async () => {
      await using world = await open()
      const schedule = await add(world.store, { lastStatus: 'missed', lastError: 'x', lastRunAt: at(2) })
      const store = await world.reopen()
      expect(await store.schedules.get(schedule.id)).toEqual(schedule)
      expect(await store.schedules.list(schedule.fleetId, { offset: 0, limit: 9 })).toEqual({
        items: [schedule],
        total: 1,
      })
      expect(await store.principals.get(schedule.id)).toMatchObject({ kind: 'schedule', actsForId: schedule.actsForId })
      expect(await store.schedules.get(newId('schedule'))).toBeUndefined()
    })

    it('changes one revision once, with for whom it acts', async () => {
      await using world = await open()
      const { schedules, principals } = world.store
      const schedule = await add(world.store)
      const other = principalRow(schedule.fleetId)
      await principals.create(other)
      const change = { name: 'other', isEnabled: false, nextRunAt: null, actsForId: other.id, updatedAt: at(3) }
      expect(await schedules.update(schedule, change)).toEqual({ ...schedule, ...change, revision: 2 })
      expect(await schedules.update(schedule, change)).toBeUndefined()
      expect(await principals.get(schedule.id)).toMatchObject({ name: 'other', actsForId: other.id })
    })

    it('knows what is due, the longest first, and when the next one is', async () => {
      await using world = await open()
      const { schedules } = world.store
      expect(await schedules.nextDue()).toBeUndefined()
      const [one, two] = [await add(world.store, { nextRunAt: at(12) }), await add(world.store)]
      await add(world.store, { nextRunAt: null })
      expect((await schedules.due(at(12), 9)).map(({ id }) => id)).toEqual([two.id, one.id])
      expect(await schedules.due(at(9), 9)).toEqual([])
      expect(await schedules.nextDue()).toBe(at(10))
    })

    it('goes on with the key that takes the place of its own', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const key = keyRow(owner)
      await world.store.keys.create(key)
      const schedule = scheduleRow(fleet.id, owner.id, { keyId: key.id })
      const { id, fleetId, name, createdAt } = schedule
      const principal = { id, fleetId, kind: 'schedule', name, role: 'owner', actsForId: owner.id, createdAt } as const
      await world.store.schedules.create(schedule, principal)
      const [waiting, over] = [1, 2].map((second) =>
        scheduleRunRow(schedule, { dueAt: null, createdAt: at(second) }),
      ) as [ScheduleRunRow, ScheduleRunRow]
      for (const run of [waiting, over]) await world.store.schedules.trigger(run, 'queue')
      await world.store.schedules.cancel(over.id, at(3))
      const next = keyRow(owner, { rotatedFrom: key.id, createdAt: at(5) }) as ReturnType<typeof keyRow> & {
        rotatedFrom: string
      }
      expect(await world.store.keys.rotate(next, at(6))).toBe(true)
      expect(await world.store.schedules.get(schedule.id)).toMatchObject({ keyId: next.id })
      expect(await world.store.schedules.getRun(waiting.id)).toMatchObject({ keyId: next.id })
      expect(await world.store.schedules.getRun(over.id)).toMatchObject({ keyId: key.id })
      const readBefore = claimOf(schedule, [scheduleRunRow(schedule)])
      expect((await world.store.schedules.claim([readBefore], lease('a'), at(10))).runs).toEqual([])
    })
  })

  describe('instants of schedules', () => {
    it('that wait are not run once it is paused; what somebody has triggered is', async () => {
      await using world = await open()
      const { schedules } = world.store
      const schedule = await add(world.store)
      await running(world.store, schedule)
      const due = scheduleRunRow(schedule, { dueAt: at(70) })
      await schedules.claim([claimOf({ ...schedule, nextRunAt: at(70) }, [due], 'queue')], lease('a'), at(70))
      const manual = scheduleRunRow(schedule, { dueAt: null, trigger: 'manual', createdAt: at(71) })
      await schedules.trigger(manual, 'queue')
      await schedules.update(schedule, { isEnabled: false, nextRunAt: null, updatedAt: at(72) })
      const runs = await schedules.runs(schedule.id, { limit: 9 })
      expect(runs.map(({ status }) => status)).toEqual(['pending', 'cancelled', 'running'])
      expect(runs[1]).toMatchObject({ finishedAt: at(72), work: null })
    })

    it('are claimed once, however many want them', async () => {
      await using world = await open()
      const schedule = await add(world.store)
      const claims = Array.from({ length: 8 }, (_, index) =>
        world.store.schedules.claim([claimOf(schedule, [scheduleRunRow(schedule)])], lease(`relay-${index}`), at(10)),
      )
      const claimed = (await Promise.all(claims)).flatMap(({ runs }) => runs)
      expect(claimed).toMatchObject([{ status: 'running', startedAt: at(10), leaseUntil: at(100) }])
      expect(await world.store.schedules.get(schedule.id)).toMatchObject({ nextRunAt: at(70) })
      expect(await world.store.schedules.runs(schedule.id, { limit: 9 })).toEqual(claimed)
    })

    it('are not claimed of what has changed, is paused or deleted', async () => {
      await using world = await open()
      const { schedules } = world.store
      const [changed, paused, deleted] = [await add(world.store), await add(world.store), await add(world.store)]
      await schedules.update(changed, { name: 'x', updatedAt: at(2) })
      await schedules.update(paused, { isEnabled: false, updatedAt: at(2) })
      await schedules.remove(deleted.id, at(2))
      const claims = [changed, paused, deleted].map((each) => claimOf(each, [scheduleRunRow(each)]))
      expect(await schedules.claim(claims, lease('a'), at(10))).toEqual({ runs: [], cancelled: [] })
    })

    it.each([
      ['skip', ['skipped', 'running'], []],
      ['queue', ['pending', 'running'], []],
      ['cancel', ['pending', 'running'], ['former']],
    ] as const)(
      'while a run is not over, are treated as the overlap says: %s',
      async (overlap, statuses, cancelled) => {
        await using world = await open()
        const { schedules } = world.store
        const schedule = await add(world.store)
        const former = await running(world.store, schedule)
        const claim = claimOf(
          { ...schedule, nextRunAt: at(70) },
          [scheduleRunRow(schedule, { dueAt: at(70) })],
          overlap,
        )
        const claimed = await schedules.claim([claim], lease('b'), at(70))
        expect(claimed.cancelled).toEqual(cancelled.map(() => former.id))
        expect((await schedules.runs(schedule.id, { limit: 9 })).map(({ status }) => status)).toEqual(statuses)
        expect((await schedules.getRun(former.id))?.cancelRequestedAt).toBe(overlap === 'cancel' ? at(70) : null)
      },
    )
  })

  describe('runs of schedules', () => {
    it('wait until nothing else of the schedule runs, and are started by one', async () => {
      await using world = await open()
      const { schedules } = world.store
      const schedule = await add(world.store)
      const former = await running(world.store, schedule)
      const waiting = [2, 1].map((second) => scheduleRunRow(schedule, { dueAt: null, createdAt: at(second) }))
      for (const run of waiting) await schedules.trigger(run, 'queue')
      const [second, first] = waiting as [ScheduleRunRow, ScheduleRunRow]
      expect(await schedules.startable(9)).toEqual([])
      expect(await schedules.start(first.id, lease('b'), at(15))).toBeUndefined()
      await expect(schedules.trigger(scheduleRunRow(schedule, { dueAt: null }), 'skip')).rejects.toMatchObject({
        code: 'conflict',
      })
      expect(await schedules.finish(former, end)).toBe(true)
      expect(await schedules.startable(9)).toEqual([first])
      const started = await Promise.all(['b', 'c'].map((relay) => schedules.start(first.id, lease(relay), at(15))))
      expect(started.filter((run) => run !== undefined)).toMatchObject([{ id: first.id, status: 'running' }])
      expect(await schedules.start(second.id, lease('b'), at(15))).toBeUndefined()
    })

    it('end once, by who has them', async () => {
      await using world = await open()
      const { schedules } = world.store
      const schedule = await add(world.store)
      const run = await running(world.store, schedule)
      expect(await schedules.finish({ ...run, relayInstance: 'b' }, end)).toBe(false)
      expect(await schedules.finish(run, end)).toBe(true)
      expect(await schedules.finish(run, { ...end, status: 'failed' })).toBe(false)
      expect(await schedules.getRun(run.id)).toMatchObject({ ...end, work: null })
      expect(await schedules.get(schedule.id)).toMatchObject({
        lastStatus: 'success',
        lastError: null,
        lastRunAt: at(10),
      })
    })

    it('are taken over by one once the lease has ended, or was let go of', async () => {
      await using world = await open()
      const { schedules } = world.store
      const run = await running(world.store, await add(world.store))
      expect(await schedules.abandoned(at(99), 9)).toEqual([])
      await schedules.renew([], lease('a', 300))
      expect(await schedules.abandoned(at(150), 9)).toHaveLength(1)
      expect(await schedules.renew([run.id], lease('a', 200))).toEqual([run.id])
      expect(await schedules.renew([run.id], lease('b', 400))).toEqual([])
      expect(await schedules.abandoned(at(150), 9)).toEqual([])
      await schedules.release('a', at(20))
      const [left] = (await schedules.abandoned(at(20), 9)) as [ScheduleRunRow]
      expect(left).toMatchObject({ id: run.id })
      const taken = await Promise.all(['b', 'c'].map((relay) => schedules.takeOver(left, lease(relay))))
      expect(taken.filter((each) => each !== undefined)).toHaveLength(1)
      expect(await schedules.abandoned(at(99), 9)).toEqual([])
    })

    it('of earlier processes of a relay are let go of, and of no other', async () => {
      await using world = await open()
      const { schedules } = world.store
      const own = []
      for (const relay of ['main/1', 'main/2', 'main2/1', 'mai/1']) {
        const schedule = await add(world.store)
        const { runs } = await schedules.claim([claimOf(schedule, [scheduleRunRow(schedule)])], lease(relay), at(10))
        own.push(...runs)
      }
      // A process that lives has prolonged its lease.
      await schedules.releaseFormer('main/2', at(20), at(100))
      expect(await schedules.abandoned(at(20), 9)).toEqual([])
      await schedules.releaseFormer('main/2', at(20), at(101))
      expect((await schedules.abandoned(at(20), 9)).map(({ id }) => id)).toEqual([own[0]?.id])
    })

    it('that wait are cancelled at once, and those that run are asked to end', async () => {
      await using world = await open()
      const { schedules } = world.store
      const schedule = await add(world.store)
      const run = await running(world.store, schedule)
      const waiting = scheduleRunRow(schedule, { dueAt: null })
      await schedules.trigger(waiting, 'queue')
      expect(await schedules.cancel(waiting.id, at(11))).toBe('cancelled')
      expect(await schedules.cancel(waiting.id, at(11))).toBeUndefined()
      expect(await schedules.cancelled('a')).toEqual([])
      expect(await schedules.cancel(run.id, at(11))).toBe('running')
      expect(await schedules.cancelled('a')).toEqual([run.id])
      expect(await schedules.cancelled('b')).toEqual([])
    })

    it('keep what they did on machines, in order of names, and each end once', async () => {
      await using world = await open()
      const { schedules } = world.store
      const run = await running(world.store, await add(world.store))
      const rows = ['c', 'a', 'b'].map((machineName) => scheduleResultRow(run.id, { machineName }))
      await schedules.addResults(rows)
      await schedules.count(run.id, 3)
      const [, a, b] = rows as [object, (typeof rows)[0], (typeof rows)[0]]
      const over = {
        ...a,
        status: 'ok',
        output: 'x',
        outputBytes: 5_000_000_000,
        outputTruncated: true,
        finishedAt: at(12),
      } as const
      await schedules.saveResult({ ...over, status: 'lost' }, 'b')
      expect(await schedules.results(run.id, { limit: 1 })).toEqual([a])
      await schedules.saveResult(over, 'a')
      await schedules.saveResult({ ...over, status: 'failed' }, 'a')
      const first = await schedules.results(run.id, { limit: 2 })
      expect(first).toEqual([over, b])
      expect((await schedules.results(run.id, { limit: 2, after: b })).map(({ machineName }) => machineName)).toEqual([
        'c',
      ])
      expect(await schedules.getRun(run.id)).toMatchObject({ commandCount: 3 })
    })

    it('have all of their machines or none, however many there are', async () => {
      await using world = await open()
      const { schedules } = world.store
      const run = await running(world.store, await add(world.store))
      const rows = Array.from({ length: 1200 }, () => scheduleResultRow(run.id))
      // What the last statement would write is refused.
      await expect(schedules.addResults([...rows, ...rows.slice(0, 1)])).rejects.toMatchObject({ code: 'conflict' })
      expect(await schedules.results(run.id, { limit: 9 })).toEqual([])
      await schedules.addResults(rows)
      expect(await schedules.results(run.id, { limit: 2000 })).toHaveLength(1200)
    })

    it('are told once, and the oldest are forgotten', async () => {
      await using world = await open()
      const { schedules } = world.store
      const schedule = await add(world.store)
      const missed = [10, 11, 12].map((second) =>
        scheduleRunRow(schedule, { dueAt: at(second), status: 'missed', finishedAt: at(second), isTold: false }),
      )
      const { runs } = await schedules.claim([claimOf(schedule, missed)], lease('a'), at(20))
      expect(runs).toEqual(missed)
      expect(await schedules.untold(9)).toEqual(missed)
      await schedules.told(missed.map(({ id }) => id))
      expect(await schedules.untold(9)).toEqual([])
      await schedules.prune(schedule.id, 1)
      expect(await schedules.runs(schedule.id, { limit: 9 })).toEqual([{ ...missed[2], isTold: true }])
      expect(await schedules.get(schedule.id)).toMatchObject({ lastStatus: 'missed' })
    })

    it('that ran are not forgotten for those that were skipped, nor any before webhooks are told', async () => {
      await using world = await open()
      const { schedules } = world.store
      const schedule = await add(world.store)
      const ran = []
      for (const second of [1, 2, 3]) {
        const run = scheduleRunRow(schedule, { dueAt: null, createdAt: at(second), isTold: second !== 1 })
        await schedules.trigger(run, 'queue')
        const started = await schedules.start(run.id, lease('a'), at(second + 10))
        await schedules.finish(started ?? run, end)
        ran.push(run.id)
      }
      const skipped = [20, 21, 22].map((second) =>
        scheduleRunRow(schedule, { dueAt: at(second), status: 'skipped', finishedAt: at(second) }),
      )
      await schedules.claim([claimOf(schedule, skipped)], lease('a'), at(30))
      await schedules.prune(schedule.id, 1)
      const left = (await schedules.runs(schedule.id, { limit: 9 })).map(({ id }) => id)
      expect(left).toEqual([skipped[2]?.id, ran[2], ran[0]])
    })

    it('that were missed say so for their own schedule', async () => {
      await using world = await open()
      const { schedules } = world.store
      const own = [await add(world.store), await add(world.store)]
      const claims = own.map((schedule, index) =>
        claimOf(schedule, [
          scheduleRunRow(schedule, { status: 'missed', finishedAt: at(20), error: `why ${index}`, work: null }),
        ]),
      )
      await schedules.claim(claims, lease('a'), at(20))
      const errors = await Promise.all(own.map(async ({ id }) => (await schedules.get(id))?.lastError))
      expect(errors).toEqual(['why 0', 'why 1'])
    })

    it('go with their schedule once none goes on', async () => {
      await using world = await open()
      const { schedules } = world.store
      const schedule = await add(world.store)
      const run = await running(world.store, schedule)
      await schedules.addResults([scheduleResultRow(run.id)])
      expect(await schedules.remove(schedule.id, at(11))).toEqual([run.id])
      expect(await schedules.remove(schedule.id, at(11))).toBeUndefined()
      await schedules.purge()
      expect(await schedules.getRun(run.id)).toBeDefined()
      await schedules.finish(run, { ...end, status: 'cancelled' })
      await schedules.purge()
      expect(await schedules.getRun(run.id)).toBeUndefined()
      expect(await schedules.results(run.id, { limit: 9 })).toEqual([])
      expect(await schedules.get(schedule.id)).toBeUndefined()
    })
  })
}
