import { expect, test } from 'vitest'
import { startWorld } from './world.ts'

const RUNS = 4

test('what is changed right before an instant is done there as it is then', async () => {
  await using world = await startWorld()
  const { schedules } = world.client
  const { id } = await schedules.create({ name: 'changing', cronExpr: '* * * * * *', command: 'echo 0' })
  const changedAt: number[] = [Date.now()]
  const ended = async () => {
    const runs = await Array.fromAsync(schedules.iterRuns(id))
    return runs.filter(({ status }) => status === 'success')
  }
  // Without a pause, so that there is one between what the relay has read ahead and the instant, each time.
  for (let count = 1; (await ended()).length < RUNS; count += 1) {
    await schedules.update(id, { command: `echo ${count}` })
    changedAt.push(Date.now())
  }
  await schedules.update(id, { isEnabled: false })
  for (const { id: runId, dueAt } of await ended()) {
    const { results } = await schedules.run(id, runId)
    const done = Number(results[0]?.output)
    const answeredBefore = changedAt.filter((at) => at < Date.parse(dueAt)).length - 1
    expect(done).toBeGreaterThanOrEqual(answeredBefore)
  }
  expect(changedAt.length).toBeGreaterThan(RUNS)
})
