import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { verifyNotification } from '@cmdop/core'
import { expect, test } from 'vitest'
import { startReceiver } from './receiver.ts'
import { waitFor } from './wait-for.ts'
import { startWorld } from './world.ts'

/** Milliseconds in which the relay is away before the first instant. */
const UNTIL_AWAY_MS = 4000

/** Two instants, a second apart, that come while the relay is away, and when they are. */
function soon() {
  const inMs = Math.ceil((Date.now() + UNTIL_AWAY_MS) / 1000) * 1000
  // Both are in one minute, so that the fields name no other instant.
  const first = new Date(new Date(inMs).getUTCSeconds() === 59 ? inMs + 1000 : inMs)
  const seconds = first.getUTCSeconds()
  const day = `${first.getUTCDate()} ${first.getUTCMonth() + 1}`
  return {
    cronExpr: `${seconds},${seconds + 1} ${first.getUTCMinutes()} ${first.getUTCHours()} ${day} *`,
    instants: [first, new Date(first.getTime() + 1000)].map((instant) => instant.toISOString()),
  }
}

test('of instants that passed while no relay was there each is told of, and one run makes up for all where that is wanted', async () => {
  await using world = await startWorld()
  await using receiver = await startReceiver()
  const { schedules, webhooks } = world.client
  const { id: webhook, secret } = await webhooks.create({ url: receiver.url })
  const file = join(await world.folder(), 'ran')
  const { cronExpr, instants } = soon()
  const [first = '', last = ''] = instants
  const notify = { webhookIds: [webhook], on: ['success' as const, 'failure' as const, 'missed' as const] }
  const work = { cronExpr, graceSeconds: 0.1, notify }
  const { id: skipped } = await schedules.create({ ...work, name: 'skipped', command: `echo skipped >> ${file}` })
  const once = { ...work, name: 'once', missed: 'run_once' as const, command: `echo once >> ${file}` }
  const { id: made } = await schedules.create(once)
  await world.relay.close()
  expect(new Date().toISOString() < first).toBe(true)
  await waitFor('both instants have passed', () => Date.now() > Date.parse(last) + 200, 20_000)
  await world.relay.restart()

  const runsOf = async (id: string) => (await Array.fromAsync(schedules.iterRuns(id))).toReversed()
  const allEnded = async () => {
    const runs = [...(await runsOf(skipped)), ...(await runsOf(made))]
    return runs.length === 4 && runs.every(({ finishedAt }) => finishedAt !== null)
  }
  await waitFor('every run is over', allEnded, 30_000)
  const missed = { status: 'missed', trigger: 'time', errorCode: 'unavailable', counts: {} }
  expect(await runsOf(skipped)).toMatchObject([
    { ...missed, dueAt: first },
    { ...missed, dueAt: last },
  ])
  expect(await runsOf(made)).toMatchObject([
    { ...missed, dueAt: first },
    { status: 'success', trigger: 'missed', dueAt: last, counts: { ok: 1 } },
  ])
  expect(await readFile(file, 'utf8')).toBe('once\n')

  await waitFor('all is told', () => receiver.received.length >= 3, 30_000)
  const told = []
  for (const { body, headers } of receiver.received) told.push(await verifyNotification(body, headers, { secret }))
  const idOf = async (id: string, index: number) => (await runsOf(id))[index]?.id
  // Of those that were missed together the last one is told, with how many they were.
  expect(told).toHaveLength(3)
  expect(told.map(({ event, schedule }) => [event, schedule?.run_id, schedule?.missed])).toEqual(
    expect.arrayContaining([
      ['schedule.missed', await idOf(skipped, 1), 2],
      ['schedule.missed', await idOf(made, 0), 1],
      ['schedule.success', await idOf(made, 1), 0],
    ]),
  )
  await waitFor('what was told is noted', async () =>
    (await webhooks.deliveries(webhook)).items.every(({ state }) => state === 'delivered'),
  )
  expect((await webhooks.deliveries(webhook)).items).toHaveLength(3)
}, 90_000)
