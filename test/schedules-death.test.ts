import { describe, expect, test } from 'vitest'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { endedRun } from './schedule-runs.ts'
import { startTwoRelays } from './two-relays.ts'
import { waitFor } from './wait-for.ts'

describe('two relays on one store', () => {
  test('fire each instant once, and either ends what the other runs', async () => {
    await using world = await startTwoRelays()
    const { schedules } = world.connect(world.one)
    const { id } = await schedules.create({ name: 'beat', cronExpr: '* * * * * *', command: 'true', overlap: 'queue' })
    await waitFor(
      'some ran',
      async () => {
        const { items } = await schedules.runs(id)
        return items.filter(({ status }) => status === 'success').length >= 2
      },
      60_000,
    )
    await schedules.update(id, { isEnabled: false })
    const { items } = await schedules.runs(id)
    expect(new Set(items.map(({ dueAt }) => dueAt)).size).toBe(items.length)
    const { fleetId } = await world.connect(world.two).me()
    const rows = await world.store.audit.list(fleetId, { limit: 100, principalId: id })
    const calls = rows.filter(({ row }) => row.kind === 'intent').map(({ row }) => row.callId)
    expect(new Set(calls).size).toBe(calls.length)
    const mark = newMark()
    await schedules.update(id, { command: `: ${mark}; sleep 1000` })
    const { jobId } = await schedules.trigger(id)
    await whenRunning(mark)
    for (const relay of [world.two, world.one])
      await world
        .connect(relay)
        .schedules.cancel(id, jobId)
        .catch(() => {})
    expect(await endedRun(world.connect(world.two), id, jobId)).toMatchObject({ status: 'cancelled' })
    await whenGone(mark, 60_000)
  })
})
