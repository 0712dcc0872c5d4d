import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { createFleet, type FleetEvent, type FleetExecution } from '@cmdop/fleet'
import type { ApprovalSummary } from '@cmdop/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addSilentMachine } from './fleets.ts'
import { invitePerson, type Person } from './people.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
let bob: Person
let names: string[]
beforeAll(async () => {
  world = await startWorld({ machines: 3 })
  names = world.machines.map(({ name }) => name).sort()
  bob = await invitePerson(world, 'bob')
})
afterAll(() => world[Symbol.asyncDispose]())

/** The question of a run that waits. */
async function asked(runId: string): Promise<ApprovalSummary> {
  return waitFor('people are asked', async () => {
    const { items } = await world.client.approvals.list({ runId, state: 'pending' })
    return items[0]
  })
}

/** Somebody else than who asks approves it. */
async function approve({ id, planDigest }: ApprovalSummary): Promise<void> {
  await bob.client.approvals.approve(id, { planDigest })
}

async function questionsOf(runId: string): Promise<ApprovalSummary[]> {
  return await Array.fromAsync(world.client.approvals.iter({ runId }))
}

function eventsOf<Result>(run: FleetExecution<Result>): FleetEvent<Result>[] {
  const events: FleetEvent<Result>[] = []
  void (async () => {
    for await (const event of run) events.push(event)
  })().catch(() => {})
  return events
}

describe('a run that people approve before it begins', () => {
  test('runs nothing before, and exactly that on each machine after one answer', async () => {
    const folder = await world.folder()
    const run = createFleet(world.client, 'machine-*').exec(({ name }) => `echo ${name} > ${folder}/${name}`, {
      approval: 'before',
      waves: [1, '100%'],
      title: 'Write names',
    })
    const events = eventsOf(run)
    const question = await asked(run.runId)
    expect(question).toMatchObject({ fleetRunId: run.runId, title: 'Write names (3 machines)', actionCount: 3 })
    const info = await bob.client.approvals.get(question.id)
    expect(info.actions.map(({ machineName, text }) => [machineName, text])).toEqual(
      names.map((name) => [name, `echo ${name} > ${folder}/${name}`]),
    )
    const { wait } = await waitFor('it says so', async () => {
      const found = await world.client.fleetRuns.get(run.runId)
      return found.state === 'paused' && found
    })
    expect(wait).toEqual({ for: 'approval', approvalId: question.id })
    expect((await world.handle.exec(`ls ${folder}`)).stdout).toBe('')
    await approve(question)
    expect(await run).toMatchObject({ ok: true, counts: { ok: 3 } })
    expect(events.map(({ type }) => type).slice(0, 3)).toEqual(['run-wait', 'run-go', 'wave-start'])
    expect(await questionsOf(run.runId)).toMatchObject([{ state: 'done' }])
    expect(await world.client.fleetRuns.get(run.runId)).toMatchObject({ state: 'ended', wait: null })
  })

  test('is denied as a whole, with the reason', async () => {
    const run = createFleet(world.client, 'machine-*').exec('touch /must-not-be', {
      approval: 'before',
      waves: [1, '100%'],
    })
    const { id } = await asked(run.runId)
    await bob.client.approvals.deny(id, { reason: 'not on a Friday' })
    const report = await run
    expect(report).toMatchObject({ counts: { denied: 3 }, stop: { reason: 'denied' } })
    expect(report.stop?.message).toContain('not on a Friday')
    expect(await world.client.fleetRuns.get(run.runId)).toMatchObject({ state: 'stopped' })
  })

  test('asks again about what was denied when somebody wants it done again, and takes no other version of it', async () => {
    const fleet = createFleet(world.client, names[0] ?? '')
    const run = fleet.exec('echo hi', { approval: 'before' })
    const first = await asked(run.runId)
    const edited = { planDigest: first.planDigest, edited: { command: 'echo other' } }
    await expect(bob.client.approvals.approve(first.id, edited)).rejects.toMatchObject({ code: 'unsupported' })
    await bob.client.approvals.deny(first.id)
    expect(await run).toMatchObject({ counts: { denied: 1 } })
    expect(await fleet.resume(run.runId)).toMatchObject({ counts: { denied: 1 } })
    const again = fleet.retry(run.runId, { outcomes: ['denied'] })
    await approve(await asked(run.runId))
    expect(await again).toMatchObject({ ok: true })
  })

  test('leaves no approval behind that may be used, or asked for, once it has stopped', async () => {
    const handle = await world.client.machine(names[2] ?? '')
    const run = createFleet(world.client, 'machine-*').exec('false', {
      approval: 'before',
      concurrency: 1,
      maxFailures: 0,
    })
    const question = await asked(run.runId)
    await approve(question)
    expect(await run).toMatchObject({ counts: { failed: 1, skipped: 2 }, stop: { reason: 'failures' } })
    expect(await questionsOf(run.runId)).toMatchObject([{ state: 'void' }])
    const approval = { approvalId: question.id, wait: false }
    const call = handle.as?.({ fleetRunId: run.runId })
    await expect(call?.exec('false', { approval })).rejects.toMatchObject({ code: 'approval_void' })
    const actions = [{ machineId: handle.id, method: 'exec', params: { command: 'false' } }]
    const ask = world.client.fleetRuns.askApproval(run.runId, { title: 'Again', actions, again: false })
    await expect(ask).rejects.toMatchObject({ code: 'conflict' })
  })

  test('is denied when nobody answers in time, and says that', async () => {
    const approval = { at: 'before', expiresInSeconds: 1 } as const
    const report = await createFleet(world.client, 'machine-*').exec('true', { approval })
    expect(report).toMatchObject({ counts: { denied: 3 }, stop: { reason: 'denied' } })
    expect(report.stop?.message).toContain('expired')
  })

  test('leaves out what nobody can be asked about: it is unreachable, and the others are asked about', async () => {
    const store = await world.openStore()
    const { fleetId } = await world.client.me()
    await addSilentMachine(store, fleetId, { name: 'zz-silent' })
    const run = createFleet(world.client, 'machine-* or zz-silent').exec('true', { approval: 'before' })
    const question = await asked(run.runId)
    expect(question.actionCount).toBe(3)
    await approve(question)
    expect((await run).counts).toMatchObject({ ok: 3, unreachable: 1 })
  })

  test('runs on no machine where a file that it names was changed since, and on the others', async () => {
    const folder = await world.folder()
    for (const name of names) await writeFile(`${folder}/${name}`, 'echo good')
    const run = createFleet(world.client, 'machine-*').exec(({ name }) => ['sh', `${folder}/${name}`], {
      approval: 'before',
    })
    const question = await asked(run.runId)
    await writeFile(`${folder}/${names[1]}`, 'echo bad')
    await approve(question)
    const { rows } = await run
    expect(rows.map(({ outcome, error }) => [outcome, error?.code])).toEqual([
      ['ok', undefined],
      ['denied', 'approval_void'],
      ['ok', undefined],
    ])
  })
})

test('what was approved before a run and has expired between waves is asked about again, for the machines that are left', async () => {
  const gone: string[] = []
  const check = async () => {
    await waitFor('it expires', async () => {
      const [{ id, state } = { id: '', state: '' }] = await questionsOf(run.runId)
      return state === 'expired' && gone.push(id)
    })
    return 'go' as const
  }
  const approval = { at: 'before', expiresInSeconds: 4 } as const
  const run = createFleet(world.client, 'machine-*').exec('echo hi', { approval, waves: [1, '100%'], check })
  await approve(await asked(run.runId))
  const second = await asked(run.runId)
  expect(second).toMatchObject({ actionCount: 2, title: 'echo hi (2 machines)' })
  expect(gone).not.toContain(second.id)
  await approve(second)
  expect(await run).toMatchObject({ ok: true, counts: { ok: 3 } })
})

describe('a run that people approve wave by wave', () => {
  test('asks before each wave, for its machines alone', async () => {
    const run = createFleet(world.client, 'machine-*').exec('echo hi', { approval: 'wave', waves: [1, '100%'] })
    const first = await asked(run.runId)
    expect(first).toMatchObject({ actionCount: 1 })
    await approve(first)
    const second = await asked(run.runId)
    expect(second).toMatchObject({ actionCount: 2, title: 'echo hi (wave 2, 2 machines)' })
    // What is equal is shown once.
    const { groups, groupCount } = await bob.client.approvals.get(second.id)
    expect({ groups, groupCount }).toMatchObject({
      groups: [{ count: 2, machineNames: names.slice(1) }],
      groupCount: 1,
    })
    await bob.client.approvals.deny(second.id, { reason: 'looks bad' })
    expect(await run).toMatchObject({ counts: { ok: 1, denied: 2 }, stop: { reason: 'denied' } })
  })

  test('asks before the waves that it names', async () => {
    const approval = { at: 'wave', waves: [2] } as const
    const run = createFleet(world.client, 'machine-*').exec('echo hi', { approval, waves: [1, 1, 1] })
    const question = await asked(run.runId)
    expect(question.title).toContain('wave 2')
    await approve(question)
    expect(await run).toMatchObject({ ok: true })
    expect(await questionsOf(run.runId)).toHaveLength(1)
  })
})

test('a run that people approve machine by machine goes on where they did', async () => {
  const run = createFleet(world.client, 'machine-*').exec('echo hi', { approval: 'machine', concurrency: 1 })
  for (const name of names) {
    const question = await asked(run.runId)
    expect(question.title).toContain(name)
    if (name === names[1]) await bob.client.approvals.deny(question.id, { reason: 'not this one' })
    else await approve(question)
  }
  expect((await run).rows.map(({ outcome }) => outcome)).toEqual(['ok', 'denied', 'ok'])
})

test('a run that stops waits for no further answer: machines that nobody has approved yet are skipped', async () => {
  const run = createFleet(world.client, 'machine-*').exec('exit 3', { approval: 'machine', maxFailures: 0 })
  const all = await waitFor('people are asked about each', async () => {
    const questions = await questionsOf(run.runId)
    return questions.length === 3 && questions
  })
  const [first] = all
  if (first !== undefined) await approve(first)
  const report = await run
  expect(report).toMatchObject({ counts: { failed: 1, skipped: 2 }, stop: { reason: 'failures' } })
})

test('what was approved is not asked again by whoever goes on or retries, unless it is something else by then', async () => {
  const folder = await world.folder()
  const fleet = createFleet(world.client, 'machine-*')
  const folderOf = (name: string | undefined) => `${folder}/${name}`
  const bad = names[1]
  for (const name of names) if (name !== bad) await mkdir(folderOf(name))
  const run = fleet.exec(({ name }) => ['mkdir', `${folderOf(name)}/new`], { approval: 'before' })
  await approve(await asked(run.runId))
  expect((await run).counts).toMatchObject({ ok: 2, failed: 1 })
  await mkdir(folderOf(bad))
  expect(await fleet.retry(run.runId, { outcomes: ['failed'] })).toMatchObject({ ok: true })
  expect((await questionsOf(run.runId)).map(({ state }) => state)).toEqual(['done', 'done'])
  expect((await questionsOf(run.runId))[0]?.votes).toMatchObject([{ personId: bob.id, vote: 'approve' }])
})

test('nobody is asked about what may be done more often than once, or has no dry run', async () => {
  const fleet = createFleet(world.client, 'machine-*')
  const often = fleet.exec('true', { approval: 'before', delivery: 'at-least-once' })
  await expect(often).rejects.toMatchObject({ code: 'validation' })
  const copied = fleet.copy(import.meta.filename, '/must-not-be', { approval: 'effects' })
  await expect(copied).rejects.toMatchObject({ code: 'unsupported' })
})

test('people see what is copied where before it is', async () => {
  const folder = await world.folder()
  await writeFile(`${folder}/source`, 'content')
  const path = ({ name }: { name: string }) => `${folder}/${name}.txt`
  const run = createFleet(world.client, 'machine-*').copy(`${folder}/source`, path, { approval: 'before' })
  const question = await asked(run.runId)
  const { actions } = await bob.client.approvals.get(question.id)
  expect(actions.map(({ method, params }) => [method, params?.['path']])).toEqual(
    names.map((name) => ['tool', `${folder}/${name}.txt`]),
  )
  expect((await world.handle.exec(`ls ${folder}`)).stdout).toBe('source\n')
  await approve(question)
  expect(await run).toMatchObject({ ok: true, counts: { ok: 3 } })
})

test('the approval of a run is good for no call that does not name the run', async () => {
  const runId = randomUUID()
  const run = createFleet(world.client, names[0] ?? '').exec('echo once', { runId, approval: 'before' })
  const question = await asked(runId)
  await approve(question)
  await run
  const handle = await world.client.machine(names[0] ?? '')
  const approval = { approvalId: question.id, wait: false }
  await expect(handle.exec('echo once', { approval })).rejects.toMatchObject({ code: 'approval_void' })
})

describe('a check that wants a person to look', () => {
  test('holds the run until a person lets it go on, and is not asked again then', async () => {
    let checks = 0
    const check = () => {
      checks += 1
      return { pause: 'The error rate is 2 %.' }
    }
    const run = createFleet(world.client, 'machine-*').exec('true', { waves: [1, '100%'], check })
    const held = await waitFor('it waits', async () => {
      const found = await world.client.fleetRuns.get(run.runId).catch(() => undefined)
      return found?.state === 'paused' && found
    })
    expect(held.wait).toEqual({ for: 'person', wave: 1, reason: 'The error rate is 2 %.' })
    const { rawToken: token } = await world.client.keys.issue({ name: 'operator', kind: 'ai', role: 'member' })
    const operator = world.connect({ token })
    await expect(operator.fleetRuns.proceed(run.runId)).rejects.toMatchObject({ code: 'permission' })
    await bob.client.fleetRuns.proceed(run.runId)
    expect(await run).toMatchObject({ ok: true, counts: { ok: 3 }, stop: null })
    expect(checks).toBe(1)
    await expect(bob.client.fleetRuns.proceed(run.runId)).rejects.toMatchObject({ code: 'conflict' })
  })

  test('is not asked again after its script was gone, also where a person has answered in between', async () => {
    const check = () => 'pause' as const
    const gone = new AbortController()
    const leaving = world.connect()
    const run = createFleet(leaving, 'machine-*').exec('true', { waves: [1, 1, 1], check, signal: gone.signal })
    run.then(undefined, () => {})
    await waitFor('it waits', async () => {
      const found = await world.client.fleetRuns.get(run.runId).catch(() => undefined)
      return found?.wait?.for === 'person'
    })
    // Another script has it from here on.
    const resumed = createFleet(world.client, 'machine-*').resume(run.runId, { check })
    const events = eventsOf(resumed)
    await waitFor('it waits there, too', () => events.some(({ type }) => type === 'run-wait'))
    await bob.client.fleetRuns.proceed(run.runId)
    await waitFor('it waits after the next wave', async () => {
      const { wait } = await world.client.fleetRuns.get(run.runId)
      return wait?.for === 'person' && wait.wave === 2
    })
    await bob.client.fleetRuns.proceed(run.runId)
    expect(await resumed).toMatchObject({ ok: true })
  })
})

test('anybody who may run commands pauses a run, which begins no machine until a person continues it', async () => {
  const folder = await world.folder()
  const run = createFleet(world.client, 'machine-*').exec(`until test -e ${folder}/go; do sleep 0.02; done`, {
    concurrency: 1,
  })
  const events = eventsOf(run)
  await waitFor('it runs', () => events.some(({ type }) => type === 'machine-start'))
  await bob.client.fleetRuns.pause(run.runId, { reason: 'what is this?' })
  await waitFor('it waits', () => events.some(({ type }) => type === 'run-wait'))
  await writeFile(`${folder}/go`, '')
  await waitFor('what ran has ended', () => events.some(({ type }) => type === 'machine-end'))
  expect(await world.client.fleetRuns.get(run.runId)).toMatchObject({
    state: 'paused',
    wait: { for: 'person', wave: null, reason: expect.stringContaining('what is this?') },
  })
  expect(events.filter(({ type }) => type === 'machine-start')).toHaveLength(1)
  await bob.client.fleetRuns.proceed(run.runId)
  expect(await run).toMatchObject({ ok: true })
})

describe('a run that is cancelled', () => {
  test('while people are asked is over, and what they say then changes nothing', async () => {
    const run = createFleet(world.client, 'machine-*').exec('true', { approval: 'before' })
    const question = await asked(run.runId)
    expect(await bob.client.fleetRuns.cancel(run.runId)).toMatchObject({ state: 'cancelled' })
    await expect(approve(question)).rejects.toMatchObject({ code: 'conflict' })
    expect(await run).toMatchObject({ counts: { skipped: 3 }, stop: { reason: 'cancelled' } })
    expect(await questionsOf(run.runId)).toMatchObject([{ state: 'void' }])
  })

  test('begins nothing from then on, whatever its script does, and is not gone on with by itself', async () => {
    const fleet = createFleet(world.client, 'machine-*')
    const run = fleet.exec('true', { waves: [1, '100%'], check: () => 'pause' })
    await waitFor('it waits', async () => {
      const found = await world.client.fleetRuns.get(run.runId).catch(() => undefined)
      return found?.state === 'paused'
    })
    await bob.client.fleetRuns.cancel(run.runId)
    const call = world.handle.as?.({ fleetRunId: run.runId })
    await expect(call?.exec('true')).rejects.toMatchObject({ code: 'cancelled' })
    expect(await run).toMatchObject({ counts: { ok: 1, skipped: 2 }, stop: { reason: 'cancelled' } })
    const check = () => 'go' as const
    await expect(fleet.resume(run.runId, { check })).rejects.toMatchObject({ code: 'conflict' })
    expect(await fleet.retry(run.runId, { outcomes: ['skipped'], check })).toMatchObject({ ok: true })
  })
})
