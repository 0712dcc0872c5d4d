import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { endedRun, NEVER, ranOnce } from './schedule-runs.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ machines: 2 })
})
afterAll(() => world[Symbol.asyncDispose]())

const refused = (code: string, message: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(message) })

describe('a schedule', () => {
  test('runs on every machine at its instants, never before, each once', async () => {
    const { schedules } = world.client
    const { id } = await schedules.create({ name: 'beat', cronExpr: '* * * * * *', command: 'echo $((6*7)); exit 0' })
    await waitFor(
      'two ran',
      async () => {
        const { items } = await schedules.runs(id)
        return items.filter(({ status }) => status === 'success').length >= 2
      },
      60_000,
    )
    await schedules.update(id, { isEnabled: false })
    const runs = await Array.fromAsync(schedules.iterRuns(id, { limit: 2 }))
    expect(new Set(runs.map(({ dueAt }) => dueAt)).size).toBe(runs.length)
    for (const run of runs) {
      expect(run.dueAt).toMatch(/\.000Z$/)
      // One that was skipped, missed or cancelled has not begun.
      if (run.startedAt !== null) expect(run.startedAt >= run.dueAt).toBe(true)
    }
    const good = runs.find(({ status }) => status === 'success')
    const { results, ...run } = await schedules.run(id, good?.id ?? '')
    expect(run).toMatchObject({
      trigger: 'time',
      commandCount: 2,
      counts: { ok: 2 },
      error: '',
      durationSeconds: expect.any(Number),
    })
    expect(
      results.map(({ machineName, output, exitCode, attempts }) => [machineName, output, exitCode, attempts]),
    ).toEqual([
      ['machine-0', '42\n', 0, 1],
      ['machine-1', '42\n', 0, 1],
    ])
    expect(await schedules.get(id)).toMatchObject({ nextRunAt: null, isEnabled: false })
    expect((await schedules.update(id, { isEnabled: true })).nextRunAt).not.toBeNull()
    await schedules.delete(id)
    await expect(schedules.get(id)).rejects.toMatchObject({ code: 'not_found' })
    await expect(schedules.runs(id)).rejects.toMatchObject({ code: 'not_found' })
  })

  test('is in lists of every form', async () => {
    const { schedules } = world.client
    const made = []
    for (const name of ['a', 'b', 'c']) made.push(await schedules.create({ name, cronExpr: NEVER, command: 'true' }))
    const ids = made.map(({ id }) => id)
    const iterated = await Array.fromAsync(schedules.iter({ perPage: 2 }))
    expect(iterated.map(({ id }) => id)).toEqual(expect.arrayContaining(ids))
    expect((await Array.fromAsync(schedules.pages({ perPage: 1 }))).length).toBe((await schedules.list()).total)
    expect(made[0]).toMatchObject({
      timezone: 'UTC',
      targetKind: 'all_fleet_machines',
      machineIds: [],
      description: '',
    })
    for (const id of ids) await schedules.delete(id)
  })

  test('that cannot be is refused with what is wrong', async () => {
    const { schedules } = world.client
    const good = { name: 'x', cronExpr: NEVER, command: 'true' }
    const wrong = (change: object, message: string) =>
      expect(schedules.create({ ...good, ...change })).rejects.toThrow(refused('validation', message))
    await wrong({ targetKind: 'everything' }, 'target_kind')
    await wrong({ cronExpr: '0 0 30 2 *' }, 'never comes')
    await wrong({ cronExpr: '61 * * * *' }, 'Invalid value for minute: 61')
    await wrong({ cronExpr: 'now and then' }, 'expected five fields')
    await wrong({ timezone: 'Mars/Phobos' }, 'time zone')
    await wrong({ prompt: 'and this' }, 'a command or a prompt')
    await wrong({ command: null }, 'a command or a prompt')
    await wrong({ outputSchema: { type: 'object' } }, 'only with a prompt')
    await wrong({ targetKind: 'specific_machines' }, 'at least one id')
    await wrong({ machineIds: [world.machine.id] }, 'only with target_kind specific_machines')
    await wrong({ targetKind: 'specific_machines', machineIds: ['mch_none'] }, 'no machine mch_none')
    await wrong({ targetKind: 'selector' }, 'a selector with target_kind selector')
    await wrong({ targetKind: 'selector', selector: 'role=web,' }, 'expected a machine or a label')
    await wrong({ notify: { webhookIds: ['whk_none'] } }, 'no webhook whk_none')
    await wrong({ overlap: 'pile up' }, 'overlap')
    await wrong({ more: 1 }, 'more')
  })

  test('acts on the machines that are named, and on none once these are cleared', async () => {
    const { schedules } = world.client
    const targets = { targetKind: 'specific_machines' as const, machineIds: [world.machines[1]?.id ?? ''] }
    const { id } = await schedules.create({
      name: 'one',
      cronExpr: NEVER,
      command: 'hostname',
      description: 'd',
      ...targets,
    })
    expect((await ranOnce(world.client, id)).results.map(({ machineName }) => machineName)).toEqual(['machine-1'])
    for (const none of [null, []]) {
      const { revision: _, ...cleared } = { revision: 0, ...(await schedules.update(id, { machineIds: none })) }
      expect(cleared).toMatchObject({ targetKind: 'specific_machines', machineIds: [], description: 'd' })
      expect(await ranOnce(world.client, id)).toMatchObject({ status: 'failed', errorCode: 'not_found', results: [] })
    }
    expect(await schedules.get(id)).toMatchObject({
      lastStatus: 'failed',
      lastError: 'The schedule names no machine; nothing ran.',
    })
    const changed = await schedules.update(id, { targetKind: 'selector', selector: 'machine-0', description: null })
    expect(changed).toMatchObject({ name: 'one', description: '', selector: 'machine-0', command: 'hostname' })
    expect((await ranOnce(world.client, id)).results.map(({ machineName }) => machineName)).toEqual(['machine-0'])
    await schedules.update(id, { selector: 'role=none' })
    expect(await ranOnce(world.client, id)).toMatchObject({ errorCode: 'not_found', commandCount: 0 })
    const all = await schedules.update(id, { targetKind: 'all_fleet_machines' })
    expect(all).toMatchObject({ selector: null, machineIds: [] })
    await schedules.delete(id)
  })

  test('loses what restricts it and whom it tells by null alone', async () => {
    const { schedules, webhooks } = world.client
    const { id: webhook } = await webhooks.create({ url: 'http://127.0.0.1:9/' })
    const notify = { webhookIds: [webhook], on: ['failure' as const] }
    const given = { restrictions: { readOnly: true }, notify }
    const { id } = await schedules.create({ name: 'held', cronExpr: NEVER, command: 'true', ...given })
    expect(await schedules.update(id, { name: 'kept' })).toMatchObject(given)
    expect(await schedules.update(id, { notify: null })).toMatchObject({
      notify: null,
      restrictions: { readOnly: true },
    })
    expect(await schedules.update(id, { notify, restrictions: null })).toMatchObject({ notify, restrictions: null })
    expect(await schedules.update(id, { notify: null })).toMatchObject({ notify: null, restrictions: null })
    expect(await schedules.get(id)).toMatchObject({ name: 'kept', notify: null, restrictions: null })
    expect(await ranOnce(world.client, id)).toMatchObject({ status: 'success' })
    expect((await webhooks.deliveries(webhook)).items).toEqual([])
    await schedules.delete(id)
    await webhooks.remove(webhook)
  })

  test('keeps the end of an output, and says that there was more', async () => {
    const { schedules } = world.client
    const command = 'i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo "line $i"; done; exit 3'
    const { id } = await schedules.create({ name: 'long', cronExpr: NEVER, command, maxOutputBytes: 20 })
    const run = await ranOnce(world.client, id)
    expect(run).toMatchObject({ status: 'failed', errorCode: null, counts: { failed: 2 } })
    expect(run.error).toBe('2 of 2 machines did not succeed: machine-0 failed, machine-1 failed.')
    for (const result of run.results) {
      expect(result).toMatchObject({ outputTruncated: true, exitCode: 3, error: 'It ended with exit code 3.' })
      expect(result.output.length).toBe(20)
      expect(result.output).toBe('ine 1999\nline 2000\n'.padStart(20, 'l').slice(-20))
      expect(result.outputBytes).toBeGreaterThan(18_000)
    }
    await schedules.delete(id)
  })

  test('is ended on the machine when its time is over, and tried again as often as it says', async () => {
    const { schedules } = world.client
    const mark = newMark()
    const file = join(await world.folder(), 'tries')
    const command = `echo x >> ${file}; : ${mark}; exec sleep 1000`
    const target = { targetKind: 'selector', selector: 'machine-0' } as const
    const times = { timeoutSeconds: 1, retries: 1, retryWaitSeconds: 0 }
    const { id } = await schedules.create({ name: 'slow', cronExpr: NEVER, command, ...target, ...times })
    const run = await ranOnce(world.client, id)
    expect(run.results).toMatchObject([{ status: 'timeout', errorCode: 'deadline', attempts: 2, exitCode: null }])
    expect(await readFile(file, 'utf8')).toBe('x\nx\n')
    await whenGone(mark, 60_000)
    await schedules.delete(id)
  })

  test('that fails once succeeds at the next try', async () => {
    const { schedules } = world.client
    const file = join(await world.folder(), 'first')
    const command = `test -e ${file} || { touch ${file}; exit 1; }`
    const target = { targetKind: 'selector', selector: 'machine-0' } as const
    const { id } = await schedules.create({
      name: 'second',
      cronExpr: NEVER,
      command,
      ...target,
      retries: 3,
      retryWaitSeconds: 0,
    })
    expect((await ranOnce(world.client, id)).results).toMatchObject([{ status: 'ok', attempts: 2, error: '' }])
    await schedules.delete(id)
  })
})

describe('a run', () => {
  const sleeping = async (mark: string, change: object = {}) =>
    world.client.schedules.create({ name: 'sleep', cronExpr: NEVER, command: `: ${mark}; sleep 1000`, ...change })

  test('that is cancelled ends on every machine, and only once', async () => {
    const { schedules } = world.client
    const mark = newMark()
    const { id } = await sleeping(mark)
    const { jobId, queued } = await schedules.trigger(id)
    expect(queued).toBe(true)
    await whenRunning(mark, 2)
    await schedules.cancel(id, jobId)
    const run = await endedRun(world.client, id, jobId)
    expect(run).toMatchObject({ status: 'cancelled', errorCode: 'cancelled', counts: { cancelled: 2 } })
    await whenGone(mark, 60_000)
    await expect(schedules.cancel(id, jobId)).rejects.toMatchObject({ code: 'conflict' })
    await schedules.delete(id)
  })

  test('ends with its schedule', async () => {
    const { schedules } = world.client
    const mark = newMark()
    const { id } = await sleeping(mark)
    await schedules.trigger(id)
    await whenRunning(mark, 2)
    await schedules.delete(id)
    await whenGone(mark, 60_000)
  })

  test('is not joined by another where its overlap is skip', async () => {
    const { schedules } = world.client
    const mark = newMark()
    const { id } = await sleeping(mark, { cronExpr: '* * * * * *' })
    await whenRunning(mark, 2)
    await waitFor(
      'instants are skipped',
      async () => (await schedules.runs(id)).items.some(({ status }) => status === 'skipped'),
      60_000,
    )
    await expect(schedules.trigger(id)).rejects.toThrow(refused('conflict', 'The run before was not over.'))
    const { items } = await schedules.runs(id)
    expect(items.filter(({ status }) => status === 'running')).toHaveLength(1)
    expect(items.find(({ status }) => status === 'skipped')).toMatchObject({ error: 'The run before was not over.' })
    await schedules.delete(id)
    await whenGone(mark, 60_000)
  })

  test('is waited for where its overlap is queue, and what waits can be cancelled', async () => {
    const { schedules } = world.client
    const file = join(await world.folder(), 'order')
    const target = { targetKind: 'selector', selector: 'machine-0' } as const
    const command = `echo begin >> ${file}; while ! test -e ${file}.go; do sleep 0.05; done; echo end >> ${file}`
    const { id } = await schedules.create({ name: 'q', cronExpr: NEVER, command, overlap: 'queue', ...target })
    const jobs = [await schedules.trigger(id), await schedules.trigger(id), await schedules.trigger(id)]
    const [first, second, third] = jobs.map(({ jobId }) => jobId) as [string, string, string]
    await waitFor('the first runs', async () => (await readFile(file, 'utf8').catch(() => '')) === 'begin\n', 60_000)
    expect(await schedules.run(id, second)).toMatchObject({ status: 'pending', results: [] })
    expect(await schedules.cancel(id, second)).toMatchObject({ status: 'cancelled' })
    await world.handle.files.write(`${file}.go`, '')
    for (const run of [first, third]) expect(await endedRun(world.client, id, run)).toMatchObject({ status: 'success' })
    expect(await readFile(file, 'utf8')).toBe('begin\nend\nbegin\nend\n')
    await schedules.delete(id)
  })

  test('is ended by the next one where its overlap is cancel', async () => {
    const { schedules } = world.client
    const [one, two] = [newMark(), newMark()]
    const { id } = await sleeping(one, { overlap: 'cancel' })
    const { jobId: former } = await schedules.trigger(id)
    await whenRunning(one, 2)
    await schedules.update(id, { command: `: ${two}; true` })
    expect(await ranOnce(world.client, id)).toMatchObject({ status: 'success' })
    expect(await endedRun(world.client, id, former)).toMatchObject({ status: 'cancelled' })
    await whenGone(one, 60_000)
    await schedules.delete(id)
  })

  test('is forgotten when newer ones are kept', async () => {
    const { schedules } = world.client
    const { id } = await schedules.create({ name: 'few', cronExpr: NEVER, command: 'true', keepRuns: 1 })
    await ranOnce(world.client, id)
    const store = await world.openStore()
    const { jobId } = await schedules.trigger(id)
    await endedRun(world.client, id, jobId)
    await store.schedules.prune(id, 1)
    expect((await schedules.runs(id)).items.map((run) => run.id)).toEqual([jobId])
    await schedules.delete(id)
  })
})
