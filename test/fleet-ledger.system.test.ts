import { randomUUID } from 'node:crypto'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createFleet, readReport } from '@cmdop/fleet'
import type { FleetRunCreate } from '@cmdop/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addFleet } from './fleets.ts'
import { startChild } from './processes/child.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World, type WorldMachine } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ machines: 3 })
})
afterAll(() => world[Symbol.asyncDispose]())

/** Its daemon starts again, and knows nothing of calls that it had before. */
async function forgets(machine: WorldMachine): Promise<void> {
  await machine.close()
  await rm(join(machine.dataDir, 'calls-results'), { recursive: true })
  await machine.restart()
  await waitFor('it is back', async () => {
    const { presence } = await world.client.machines.get(machine.id)
    return presence === 'online'
  })
}

test('a run is known to the relay with its plan, its machines, how it ended on each, and who it is of', async () => {
  const runId = randomUUID()
  const run = createFleet(world.client, '*').exec('echo hi', { runId, waves: [1, '100%'], title: 'Greet' })
  expect(await run).toMatchObject({ runId, ok: true })
  const { principalId: owner } = await world.client.me()
  const { state, counts, targets, title, stop, principalId } = await world.client.fleetRuns.get(runId)
  expect({ state, counts, targets, title, stop, principalId }).toEqual({
    state: 'ended',
    counts: { ok: 3 },
    targets: 3,
    title: 'Greet',
    stop: null,
    principalId: owner,
  })
  const known = await Array.fromAsync(world.client.fleetRuns.targets(runId))
  expect(known.map(({ wave, outcome, row }) => [wave, outcome, Object(row?.['result'])['stdout']])).toEqual([
    [1, 'ok', 'hi\n'],
    [2, 'ok', 'hi\n'],
    [2, 'ok', 'hi\n'],
  ])
  expect((await world.client.fleetRuns.list()).items[0]).toMatchObject({ runId })
})

test('the same run twice at once runs once on each machine, and the last script knows how it ended', async () => {
  const runId = randomUUID()
  const folder = await world.folder()
  const begin = () => createFleet(world.client, '*').exec(`mktemp ${folder}/XXXXXXXX`, { runId })
  const reports = await Promise.all([begin(), begin()])
  const last = reports.find(({ stop }) => stop === null)
  expect(last).toMatchObject({ ok: true })
  const made = last?.rows.map(({ result }) => result?.stdout.trim()).toSorted()
  expect((await readdir(folder)).map((name) => join(folder, name)).toSorted()).toEqual(made)
  // Once it has ended it is gone on with, not begun.
  const again = createFleet(world.client, '*').exec('echo other', { runId })
  await expect(again).rejects.toMatchObject({ code: 'conflict' })
})

test('the same run begun again after its script was killed is gone on with: no machine runs the command twice', async () => {
  const [runId, folder] = [randomUUID(), await world.folder()]
  const command = `echo x >> ${folder}/{name}`
  const { url: baseUrl, firstKey: token } = world.relay
  const script = await startChild('fleet-process.ts', { baseUrl, token, runId, command, concurrency: 1 })
  // The wave begins, and the first machine begins and ends.
  for (let seen = 0; seen < 3; seen += 1) await script.lines.next()
  await script.end('SIGKILL')
  await forgets(world.machine)
  const each = ({ name }: { name: string }) => command.replaceAll('{name}', name)
  const { rows } = await createFleet(world.client, '*').exec(each, { runId, concurrency: 1 })
  expect(['ok', 'unknown']).toContain(rows[0]?.outcome)
  expect(rows.slice(1).map(({ outcome }) => outcome)).toEqual(['ok', 'ok'])
  for (const { name } of world.machines) expect(await readFile(join(folder, name), 'utf8'), name).toBe('x\n')
})

test('a machine that has forgotten what it ran before does what a retry asks of it for the first time', async () => {
  const folder = await world.folder()
  const fleet = createFleet(world.client, '*')
  const first = await fleet.exec(`test -e ${folder}/fixed`)
  expect(first).toMatchObject({ counts: { failed: 3 } })
  await forgets(world.machine)
  await world.handle.exec(`touch ${folder}/fixed`)
  expect((await fleet.retry(first.runId, { outcomes: ['failed'] })).rows.map(({ outcome }) => outcome)).toEqual([
    'ok',
    'ok',
    'ok',
  ])
})

test('a retry runs on the machines of these outcomes alone, once more each, and keeps the others', async () => {
  const folder = await world.folder()
  const [bad] = world.machines.map(({ name }) => name)
  const fleet = createFleet(world.client, '*')
  const command = ({ name }: { name: string }) =>
    `echo x >> ${folder}/${name}; test ${name} != ${bad} -o -e ${folder}/fixed`
  const first = await fleet.exec(command, { concurrency: 1 })
  expect(first.counts).toMatchObject({ ok: 2, failed: 1 })
  await world.handle.exec(`touch ${folder}/fixed`)
  const second = await fleet.retry(first.runId, { outcomes: ['failed', 'lost'] })
  expect(second).toMatchObject({ ok: true, runId: first.runId })
  const { stdout } = await world.handle.exec(
    `cd ${folder} && wc -l < ${bad} && cat $(ls | grep -v ${bad} | grep -v fixed) | wc -l`,
  )
  expect(stdout).toBe('2\n2\n')
  expect(await world.client.fleetRuns.get(first.runId)).toMatchObject({ generation: 1, counts: { ok: 3 } })
})

test('a run that stopped goes on with the machines that were skipped', async () => {
  const fleet = createFleet(world.client, '*')
  const stopped = await fleet.exec('true', { waves: [1, 1, 1], check: () => 'stop' })
  expect(stopped).toMatchObject({ counts: { ok: 1, skipped: 2 }, stop: { reason: 'check' } })
  expect(await world.client.fleetRuns.get(stopped.runId)).toMatchObject({ state: 'stopped', stop: { reason: 'check' } })
  await expect(fleet.resume(stopped.runId)).rejects.toMatchObject({ code: 'validation' })
  // The report that the ledger has says how many failures the run allowed.
  expect(stopped.maxFailures).toBe(0)
  expect(await readReport(world.client, stopped.runId)).toMatchObject({ maxFailures: 0, counts: stopped.counts })
  const resumed = await fleet.resume(stopped.runId, { check: () => 'go' })
  expect(resumed).toMatchObject({ ok: true, counts: { ok: 3, skipped: 0 } })
})

test('anybody who may work in the fleet can cancel a run, which then begins no machine and ends what runs', async () => {
  const run = createFleet(world.client, '*').exec('sleep 300', { concurrency: 1 })
  for await (const { type } of run) if (type === 'machine-start') await world.client.fleetRuns.cancel(run.runId)
  const report = await run
  expect(report).toMatchObject({ counts: { cancelled: 1, skipped: 2 }, stop: { reason: 'cancelled' } })
  expect(await world.client.fleetRuns.get(run.runId)).toMatchObject({ state: 'cancelled' })
})

test('whoever goes on with a run is its only writer: the script before it stops', async () => {
  const folder = await world.folder()
  const fleet = createFleet(world.client, '*')
  const first = fleet.exec(`echo x >> ${folder}/$$; until test -e ${folder}/go; do sleep 0.05; done`, {
    concurrency: 2,
  })
  const started = Promise.withResolvers<void>()
  void (async () => {
    let count = 0
    for await (const { type } of first) if (type === 'machine-start' && ++count === 2) started.resolve()
  })()
  await started.promise
  const second = fleet.resume(first.runId)
  await second[Symbol.asyncIterator]().next()
  await world.handle.exec(`touch ${folder}/go`)
  expect(await second).toMatchObject({ ok: true })
  // What it had begun was one call with the other script's, and ran once.
  const { stdout } = await world.handle.exec(`cd ${folder} && cat $(ls | grep -v go) | wc -l`)
  expect(stdout).toBe('3\n')
  expect((await first).stop).toMatchObject({ reason: 'ledger' })
})

test('values of an environment are not kept: a script that goes on gives the same again', async () => {
  const secret = `hush-${randomUUID()}`
  const fleet = createFleet(world.client, '*')
  const { runId } = await fleet.exec('test -n "$TOKEN"', { env: { TOKEN: secret } })
  const { plan } = await world.client.fleetRuns.claim(runId)
  expect(JSON.stringify(plan)).not.toContain(secret)
  await expect(fleet.resume(runId)).rejects.toMatchObject({
    code: 'validation',
    message: expect.stringContaining('TOKEN'),
  })
  await expect(fleet.resume(runId, { env: { TOKEN: 'other' } })).rejects.toMatchObject({ code: 'validation' })
  expect(await fleet.resume(runId, { env: { TOKEN: secret } })).toMatchObject({ ok: true })
})

test('what is given wrongly to go on with a run changes nothing of it: its script stays at it', async () => {
  const folder = await world.folder()
  const fleet = createFleet(world.client, '*')
  const run = fleet.exec(`until test -e ${folder}/go; do sleep 0.05; done`, { env: { TOKEN: 'one' } })
  for await (const { type } of run) if (type === 'machine-start') break
  const before = await world.client.fleetRuns.get(run.runId)
  const retried = fleet.retry(run.runId, { outcomes: ['failed'] })
  await expect(retried).rejects.toMatchObject({ code: 'validation' })
  const resumed = fleet.resume(run.runId, { env: { TOKEN: 'one' }, check: () => 'go' })
  await expect(resumed).rejects.toMatchObject({ code: 'validation' })
  const { generation, state } = await world.client.fleetRuns.get(run.runId)
  expect({ generation, state }).toEqual({ generation: before.generation, state: 'running' })
  await world.handle.exec(`touch ${folder}/go`)
  expect(await run).toMatchObject({ ok: true, stop: null })
})

test('a run of another fleet is not found, and one of another principal is nobody else’s to go on with', async () => {
  const { runId } = await createFleet(world.client, '*').exec('true')
  const store = await world.openStore()
  const { raw: token } = await addFleet(store, 'fleet-runs-other')
  const stranger = world.connect({ token })
  await expect(stranger.fleetRuns.get(runId)).rejects.toMatchObject({ code: 'not_found' })
  await expect(stranger.fleetRuns.cancel(runId)).rejects.toMatchObject({ code: 'not_found' })
  await expect(stranger.fleetRuns.claim(runId)).rejects.toMatchObject({ code: 'not_found' })
  const colleague = await world.client.keys.issue({ name: 'colleague', kind: 'service', role: 'member' })
  const other = world.connect({ token: colleague.rawToken })
  await expect(createFleet(other, '*').resume(runId)).rejects.toMatchObject({ code: 'permission' })
  await expect(other.fleetRuns.claim(runId)).rejects.toMatchObject({ code: 'permission' })
  expect((await world.client.fleetRuns.get(runId)).plan).toMatchObject({ command: { all: 'true' } })
  expect((await other.fleetRuns.get(runId)).plan).toBeNull()
  const rest: FleetRunCreate = {
    runId: randomUUID(),
    kind: 'exec',
    title: '',
    plan: {},
    planDigest: 'ab'.repeat(32),
    targets: [],
  }
  await expect(world.client.fleetRuns.create(rest)).rejects.toMatchObject({ code: 'validation' })
})
