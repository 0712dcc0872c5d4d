import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFleet, type FleetEvent } from '@cmdop/fleet'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { addSilentMachine } from './fleets.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
let folder: string
beforeAll(async () => {
  world = await startWorld({ machines: 3, separateProcesses: true })
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  folder = await world.folder()
})
const linesOf = async (name: string) =>
  (await readFile(join(folder, name), 'utf8').catch(() => '')).split('\n').length - 1

describe('after the instant by which a run has to begin', () => {
  test('no machine begins it, the rest are skipped, and what runs goes on', async () => {
    const notAfter = new Date(Date.now() + 500)
    const run = createFleet(world.client, '*').exec(`echo x >> ${folder}/$$; sleep 0.7`, { notAfter, concurrency: 1 })
    const report = await run
    expect(report.rows.map(({ outcome }) => outcome)).toEqual(['ok', 'skipped', 'skipped'])
    expect(report.stop).toEqual({
      reason: 'expired',
      message: `No machine begins from ${notAfter.toISOString()} on (notAfter).`,
    })
    // Nor in another script.
    const again = await createFleet(world.client, '*').resume(run.runId)
    expect(again).toMatchObject({ counts: { ok: 1, skipped: 2 }, stop: { reason: 'expired' } })
  })

  test('the relay lets no command through, and writes down that it did not', async () => {
    const notAfter = new Date(Date.now() - 1)
    await expect(world.handle.exec(['touch', join(folder, 'ran')], { notAfter })).rejects.toMatchObject({
      code: 'expired',
      details: { notAfter: notAfter.toISOString() },
    })
    expect(await linesOf('ran')).toBe(0)
    const rows = await Array.fromAsync(world.client.audit.iter({ action: 'exec' }))
    expect(rows.filter(({ code }) => code === 'expired')).toMatchObject([{ decision: 'deny' }])
    await expect(world.handle.exec('true', { notAfter: 'tomorrow' })).rejects.toMatchObject({ code: 'validation' })
    await expect(createFleet(world.client, '*').exec('true', { notAfter: 'noon' })).rejects.toMatchObject({
      code: 'validation',
    })
  })
})

describe('where nobody knows whether it ran', () => {
  /** Runs for long the first time, and ends the second time. */
  const command = () => `echo x >> ${folder}/ran; test $(wc -l < ${folder}/ran) -ge 2 || sleep 300`
  const killOnce = async () => {
    await waitFor('it runs', async () => (await linesOf('ran')) === 1)
    await world.machine.kill()
    await world.machine.restart()
  }

  test('it is not run again, unless that was asked for', async () => {
    const [report] = await Promise.all([createFleet(world.client, world.machine.name).exec(command()), killOnce()])
    expect(report.rows).toMatchObject([{ outcome: 'lost', attempts: 1 }])
    expect(await createFleet(world.client, '*').resume(report.runId)).toMatchObject({ counts: { lost: 1 } })
    expect(await linesOf('ran')).toBe(1)
  })

  test('at-least-once runs it again, by its retries', async () => {
    const run = createFleet(world.client, world.machine.name).exec(command(), { delivery: 'at-least-once' })
    const [report] = await Promise.all([run, killOnce()])
    expect(report.rows).toMatchObject([{ outcome: 'ok', attempts: 2 }])
    expect(await linesOf('ran')).toBe(2)
  })

  test('at-least-once runs it again where a script goes on', async () => {
    const options = { delivery: 'at-least-once', retries: 0 } as const
    const [report] = await Promise.all([
      createFleet(world.client, world.machine.name).exec(command(), options),
      killOnce(),
    ])
    expect(report.rows).toMatchObject([{ outcome: 'lost', attempts: 1 }])
    expect(await createFleet(world.client, '*').resume(report.runId)).toMatchObject({ ok: true })
    expect(await linesOf('ran')).toBe(2)
  })
})

describe('a machine that is offline', () => {
  const [first, second] = ['machine-0', 'machine-1']

  test('is waited for without holding up the others, and does it once it is back', async () => {
    await world.machine.close()
    const run = createFleet(world.client, `${first} or ${second}`).exec('true', {
      concurrency: 1,
      queue: { maxAgeMs: 60_000 },
    })
    const events: FleetEvent<unknown>[] = []
    for await (const event of run) {
      events.push(event)
      if (event.type === 'machine-end' && event.row.machine.name === second) await world.machine.restart()
    }
    expect(await run).toMatchObject({ ok: true, counts: { ok: 2 } })
    const told = events.flatMap((event) => ('machine' in event ? [[event.type, event.machine.name]] : []))
    expect(told).toEqual([
      ['machine-wait', first],
      ['machine-start', second],
      ['machine-start', first],
    ])
  })

  test('is waited for by whoever goes on, and its age is that of the run', async () => {
    await world.machine.close()
    const [runId, fleet] = [randomUUID(), createFleet(world.client, first)]
    const options = { runId, queue: { maxAgeMs: 60_000 } }
    const gone = fleet.exec(`echo x >> ${folder}/ran`, options)
    for await (const { type } of gone) if (type === 'machine-wait') break
    const resumed = fleet.resume(runId)
    for await (const { type } of resumed) if (type === 'machine-wait') break
    expect((await gone).stop).toMatchObject({ reason: 'ledger' })
    await world.machine.restart()
    expect(await resumed).toMatchObject({ ok: true })
    expect(await linesOf('ran')).toBe(1)
  })

  test('is unreachable once it is too late for it, and is not begun after that', async () => {
    const store = await world.openStore()
    const { fleetId } = await world.client.me()
    await addSilentMachine(store, fleetId, { name: 'zz-silent' })
    const began = performance.now()
    const report = await createFleet(world.client, 'zz-silent').exec('true', { queue: { maxAgeMs: 300 } })
    expect(report.rows).toMatchObject([{ outcome: 'unreachable', attempts: 0, error: { code: 'unavailable' } }])
    expect(performance.now() - began).toBeLessThan(4000)
  })

  test('is waited for no longer than the run goes on', async () => {
    const run = createFleet(world.client, 'zz-silent').exec('true', { queue: { maxAgeMs: 60_000 } })
    for await (const { type } of run) if (type === 'machine-wait') run.cancel()
    expect(await run).toMatchObject({ counts: { skipped: 1 }, stop: { reason: 'cancelled' } })
  })
})
