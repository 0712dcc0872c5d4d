import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { killRelayUnderSchedule } from './schedule-kills.ts'
import { endedRun, NEVER } from './schedule-runs.ts'
import { startTwoRelays } from './two-relays.ts'
import { waitFor } from './wait-for.ts'
import { startWorld } from './world.ts'

test('a relay that is killed misses instants and says so, and runs none twice', async () => {
  await killRelayUnderSchedule({ seconds: 2, machines: 2, awayMs: 2500 })
}, 240_000)

test('what ran when the relay was killed is asked for by the next one, and not sent again', async () => {
  await using world = await startWorld({ separateProcesses: true })
  const { schedules } = world.client
  const mark = newMark()
  const gate = join(await world.folder(), 'go')
  const command = `: ${mark}; while ! test -e ${gate}; do sleep 0.1; done; echo survived`
  const { id } = await schedules.create({ name: 'survivor', cronExpr: NEVER, command })
  const { jobId } = await schedules.trigger(id)
  const [pid] = await whenRunning(mark)
  await world.relay.kill()
  await world.relay.restart()
  await writeFile(gate, '')
  const run = await endedRun(world.client, id, jobId)
  expect(pid).toBeGreaterThan(0)
  expect(run).toMatchObject({ status: 'success' })
  expect(run.results).toMatchObject([{ status: 'ok', output: 'survived\n', attempts: 1 }])
})

test('what ran when relay and machine were killed is lost, and not sent again', async () => {
  await using world = await startWorld({ separateProcesses: true })
  const { schedules } = world.client
  const mark = newMark()
  const { id } = await schedules.create({ name: 'lost', cronExpr: NEVER, command: `: ${mark}; sleep 1000` })
  const { jobId } = await schedules.trigger(id)
  await whenRunning(mark)
  await world.relay.kill()
  await world.machine.kill()
  await world.relay.restart()
  await world.machine.restart()
  expect((await endedRun(world.client, id, jobId)).results).toMatchObject([{ status: 'lost', errorCode: 'lost' }])
  await whenGone(mark, 60_000)
})

test('what a relay of two lets go of is gone on with by the other', async () => {
  await using world = await startTwoRelays()
  await world.move(world.two)
  const mark = newMark()
  const { schedules } = world.connect(world.two)
  const gate = join(world.folder, 'go')
  const command = `: ${mark}; while ! test -e ${gate}; do sleep 0.1; done; echo kept`
  const { id } = await schedules.create({ name: 'handed over', cronExpr: '* * * * * *', command })
  await whenRunning(mark)
  const running = await waitFor(
    'it runs',
    async () => (await schedules.runs(id)).items.find(({ status }) => status === 'running'),
    60_000,
  )
  await schedules.update(id, { isEnabled: false })
  await world.one.close()
  // It does not wait for what runs.
  expect(await schedules.run(id, running.id)).toMatchObject({ status: 'running' })
  await writeFile(gate, '')
  expect((await endedRun(world.connect(world.two), id, running.id)).results).toMatchObject([
    { status: 'ok', output: 'kept\n' },
  ])
})
