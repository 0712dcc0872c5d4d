import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client } from '@cmdop/core'
import { describe, expect, test } from 'vitest'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { endedRun, NEVER } from './schedule-runs.ts'
import { startTwoRelays, type TwoRelays } from './two-relays.ts'
import { waitFor } from './wait-for.ts'
import { startWorld } from './world.ts'

describe('a run that another relay takes over', () => {
  test('while the first one goes on, too slow to know, runs once and ends once', async () => {
    await using world = await startTwoRelays()
    const { schedules } = world.connect(world.one)
    const [mark, file, gate] = [newMark(), join(world.folder, 'ran'), join(world.folder, 'go')]
    const command = `: ${mark}; echo $$ >> ${file}; while ! test -e ${gate}; do sleep 0.1; done; echo once`
    const { id } = await schedules.create({ name: 'stolen', cronExpr: NEVER, command })
    const { jobId } = await schedules.trigger(id)
    await whenRunning(mark)
    const first = await holderOf(world, jobId)
    // What a relay that could not prolong its lease in time looks like to the other.
    await world.store.schedules.release(first, new Date().toISOString())
    await waitFor('the other has it', async () => (await holderOf(world, jobId)) !== first, 60_000)
    await writeFile(gate, '')
    const { status, results } = await endedRun(world.connect(world.two), id, jobId)
    expect({ status, results }).toMatchObject({
      status: 'success',
      results: [{ status: 'ok', output: 'once\n', attempts: 1 }],
    })
    await whenGone(mark, 60_000)
    expect(await linesOf(file)).toBe(1)
    expect(await callsOf(world, id)).toBe(1)
    expect((await schedules.runs(id)).items).toHaveLength(1)
  })

  test('is ended on its machines where the key of who wrote it is gone', async () => {
    await using world = await startTwoRelays()
    await world.move(world.two)
    const owner = world.connect(world.two)
    const { id: keyId, rawToken } = await owner.keys.issue({ name: 'gone soon', role: 'member' })
    const mark = newMark()
    const writer = world.connect(world.one, rawToken)
    const command = `: ${mark}; sleep 1000`
    const { id } = await writer.schedules.create({ name: 'left', cronExpr: NEVER, command })
    const jobId = await startAtOne(world, { client: writer, id, mark })
    // Nobody tells the relay that runs it: it is gone before it could know.
    const { fleetId } = await owner.me()
    await world.store.keys.revoke(fleetId, keyId, new Date().toISOString())
    await world.one.close()
    await whenGone(mark, 60_000)
    const run = await endedRun(owner, id, jobId)
    expect(run).toMatchObject({ status: 'failed', errorCode: 'auth', counts: { cancelled: 1 } })
    const ends = await world.store.audit.list(fleetId, { limit: 9, principalId: id, action: 'exec.result' })
    expect(ends[0]?.row).toMatchObject({ principalName: 'relay, ending a run', keyId: 'system', decision: 'allow' })
  })
})

test('a relay that is closed while runs go on leaves them, and its next start ends them, each once', async () => {
  await using world = await startWorld({ machines: 2, relay: { drainMs: 100 } })
  const { schedules } = world.client
  const folder = await world.folder()
  const [mark, file, gate] = [newMark(), join(folder, 'ran'), join(folder, 'go')]
  const command = `: ${mark}; echo $$ >> ${file}; while ! test -e ${gate}; do sleep 0.1; done; echo drained`
  // The second machine has not begun when the relay ends.
  const { id } = await schedules.create({ name: 'drained', cronExpr: NEVER, command, concurrency: 1 })
  const { jobId } = await schedules.trigger(id)
  await whenRunning(mark)
  await world.relay.restart()
  for (const machine of world.machines) await world.whenOnline(machine)
  expect(await linesOf(file)).toBe(1)
  await writeFile(gate, '')
  const run = await endedRun(world.client, id, jobId)
  expect(run).toMatchObject({ status: 'success', counts: { ok: 2 } })
  expect(run.results).toMatchObject([
    { output: 'drained\n', attempts: 1 },
    { output: 'drained\n', attempts: 1 },
  ])
  expect(await linesOf(file)).toBe(2)
})

async function holderOf({ store }: TwoRelays, runId: string): Promise<string> {
  return (await store.schedules.getRun(runId))?.relayInstance ?? ''
}

/** Triggers a run until the first relay is who does it. */
async function startAtOne(
  world: TwoRelays,
  { client, id, mark }: { client: Client; id: string; mark: string },
): Promise<string> {
  for (;;) {
    const { jobId } = await client.schedules.trigger(id)
    await whenRunning(mark)
    if ((await holderOf(world, jobId)).startsWith('one/')) return jobId
    await client.schedules.cancel(id, jobId)
    await endedRun(client, id, jobId)
  }
}

async function callsOf(world: TwoRelays, principalId: string): Promise<number> {
  const { fleetId } = await world.connect(world.two).me()
  const rows = await world.store.audit.list(fleetId, { limit: 100, principalId, action: 'exec' })
  return rows.filter(({ row }) => row.kind === 'intent').length
}

async function linesOf(file: string): Promise<number> {
  return (await readFile(file, 'utf8')).trim().split('\n').length
}
