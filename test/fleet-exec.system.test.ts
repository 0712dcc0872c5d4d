import { createFleet, type FleetEvent } from '@cmdop/fleet'
import { outcomes } from '@cmdop/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addSilentMachine } from './fleets.ts'
import { startWorld, type World } from './world.ts'

let world: World
let names: string[]
beforeAll(async () => {
  world = await startWorld({ machines: 4 })
  names = world.machines.map(({ name }) => name).sort()
  for (const [index, { id }] of world.machines.entries())
    await world.client.machines.label(id, { role: index < 3 ? 'web' : 'db', zone: index % 2 === 0 ? 'a' : 'b' })
})
afterAll(() => world[Symbol.asyncDispose]())

test('a command runs once on each machine that is meant, and each says what it gave', async () => {
  const fleet = createFleet(world.client, 'role=web')
  const meant = (await fleet.preview()).map(({ name }) => name)
  expect(meant).toHaveLength(3)
  const report = await fleet.exec(({ name }) => `echo ${name}; echo err >&2`)
  expect(report).toMatchObject({ ok: true, failures: 0, maxFailures: null, stop: null, counts: { ok: 3, failed: 0 } })
  expect(report.rows.map(({ machine }) => machine.name)).toEqual(meant)
  for (const { machine, outcome, result, wave, attempts, error } of report.rows) {
    expect({ outcome, wave, attempts, error }).toEqual({ outcome: 'ok', wave: 1, attempts: 1, error: null })
    expect(result).toMatchObject({ exitCode: 0, stdout: `${machine.name}\n`, stderr: 'err\n', stdoutTruncated: false })
  }
})

test('nothing is asked of any machine where no machine is meant, a name is nobody’s, or an option is wrong', async () => {
  const of = (targets: string) => createFleet(world.client, targets)
  await expect(of('role=nobody').exec('true')).rejects.toMatchObject({ code: 'not_found' })
  expect(await of('role=nobody').exec('true', { allowEmpty: true })).toMatchObject({ rows: [], ok: true })
  await expect(of('no-such-machine or *').exec('true')).rejects.toMatchObject({ code: 'not_found' })
  await expect(of('role=').exec('true', { waves: ['200%'] })).rejects.toMatchObject({ code: 'not_found' })
  for (const wrong of [
    { waves: ['200%' as const] },
    { maxFailures: -1 },
    { concurrency: 0 },
    { timeoutMs: 0 },
    { retries: 99 },
  ])
    await expect(of('*').exec('touch /must-not-be', wrong)).rejects.toMatchObject({ code: 'validation' })
})

test('a run in waves stops before its next machine when there are more failures than it may have', async () => {
  const report = await createFleet(world.client, '*').exec(({ name }) => (name === names[1] ? 'exit 3' : 'true'), {
    waves: [1, 1, '100%'],
  })
  expect(report.rows.map(({ outcome, wave }) => [outcome, wave])).toEqual([
    ['ok', 1],
    ['failed', 2],
    ['skipped', 3],
    ['skipped', 3],
  ])
  expect(report).toMatchObject({ ok: false, failures: 1, maxFailures: 0, stop: { reason: 'failures' } })
  expect(report.rows[1]).toMatchObject({ result: { exitCode: 3 }, error: null })
})

test('a check between waves sees what was, and stops the run by its word or by what it throws', async () => {
  const seen: [wave: number, waves: number, rows: number, all: number][] = []
  const fleet = createFleet(world.client, '*')
  const whole = await fleet.exec('true', {
    waves: [1, 2],
    check: ({ wave, waves, rows, all }) => {
      seen.push([wave, waves, rows.length, all.length])
      return 'go'
    },
  })
  expect(whole.ok).toBe(true)
  expect(seen).toEqual([
    [1, 3, 1, 1],
    [2, 3, 2, 3],
  ])
  const said = await fleet.exec('true', { waves: [1], check: () => ({ stop: 'The error rate is 4 %.' }) })
  expect(said).toMatchObject({
    counts: { ok: 1, skipped: 3 },
    stop: { reason: 'check', message: 'The error rate is 4 %.' },
  })
  const check = () => {
    throw new TypeError('no such metric')
  }
  const thrown = await fleet.exec('true', { waves: [1], check })
  expect(thrown).toMatchObject({ counts: { ok: 1, skipped: 3 }, stop: { reason: 'check' } })
  expect(thrown.stop?.message).toContain('no such metric')
})

test('what does not end by its deadline is stopped by its machine, and what it had said is there', async () => {
  const report = await createFleet(world.client, 'role=db').exec('echo begun; sleep 300', { timeoutMs: 300 })
  expect(report.rows).toMatchObject([
    { outcome: 'timeout', result: { stdout: 'begun\n' }, error: { code: 'deadline' } },
  ])
})

test('a run that is cancelled starts no machine any more, and what runs is gone', async () => {
  const run = createFleet(world.client, '*').exec('echo $$; sleep 300', { concurrency: 2 })
  const events: FleetEvent<unknown>[] = []
  for await (const event of run) {
    events.push(event)
    if (events.filter(({ type }) => type === 'machine-start').length === 2 && event.type === 'machine-start')
      run.cancel()
  }
  const report = await run
  expect(report).toMatchObject({ ok: false, counts: { cancelled: 2, skipped: 2 }, stop: { reason: 'cancelled' } })
  expect(events.map(({ type }) => type)).toEqual([
    'wave-start',
    'machine-start',
    'machine-start',
    'run-stop',
    ...Array.from({ length: 4 }, () => 'machine-end'),
    'wave-end',
  ])
})

test('a machine that is offline is unreachable, and that counts as a failure', async () => {
  const store = await world.openStore()
  const { fleetId } = await world.client.me()
  await addSilentMachine(store, fleetId, { name: 'zz-silent' })
  const report = await createFleet(world.client, `zz-silent or ${names[0]}`).exec('true')
  expect(report.rows.map(({ outcome, error }) => [outcome, error?.code])).toEqual([
    ['ok', undefined],
    ['unreachable', 'unavailable'],
  ])
  expect(report).toMatchObject({ ok: false, failures: 1 })
  expect(outcomes.unreachable).toMatchObject({ failure: true, mayHaveRun: false })
})
