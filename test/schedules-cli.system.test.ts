import { access, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { runCli, startCli } from './processes/cli.ts'
import { startWorld } from './world.ts'

test('cmdop schedules makes, shows, changes, runs and deletes a schedule', async () => {
  await using world = await startWorld()
  const env = { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey }
  const cmdop = (...argv: string[]) => runCli(['schedules', ...argv], env)
  const what = ['--command', 'echo from $((1+1)); exit 3', '--machine', 'machine-0', '--timezone', 'Europe/Berlin']
  const made = await cmdop('create', '--name', 'nightly', '--cron', '30 2 * * *', ...what, '--retries', '0', '--json')
  expect(made.stderr).toBe('')
  const { id, ...schedule } = JSON.parse(made.stdout) as { id: string }
  expect(schedule).toMatchObject({
    target_kind: 'specific_machines',
    machine_ids: [world.machine.id],
    cron_expr: '30 2 * * *',
  })
  const [header = '', row = ''] = (await cmdop('list')).stdout.split('\n')
  expect(header).toMatch(/^NAME +WHEN +WHERE +NEXT +LAST +ON +ID$/)
  expect(row).toMatch(/^nightly +30 2 \* \* \* Europe\/Berlin +1 named +\S+Z +- +yes +sch_/)
  const ran = await cmdop('trigger', id, '--wait')
  expect(ran.code).toBe(1)
  expect(ran.stderr).toContain('failed: 1 of 1 machines did not succeed: machine-0 failed.')
  expect(ran.stdout).toMatch(/machine-0 +failed +3 +1 +It ended with exit code 3\.\n\nmachine-0:\nfrom 2\n$/)
  const runs = await cmdop('runs', id, '--json')
  const { items } = JSON.parse(runs.stdout) as { items: { id: string }[] }
  expect(items).toMatchObject([{ status: 'failed', trigger: 'manual', command_count: 1 }])
  const [run] = items
  expect(JSON.parse((await cmdop('show-run', id, run?.id ?? '', '--json')).stdout)).toMatchObject({
    results: [{ exit_code: 3 }],
  })
  expect(await cmdop('cancel', id, run?.id ?? '')).toMatchObject({ stderr: expect.stringContaining('conflict') })
  expect((await cmdop('pause', id)).stderr).toBe(`${id} is paused\n`)
  expect((await cmdop('resume', id)).stderr).toMatch(/fires next at /)
  const schema = join(await world.folder(), 'answer.json')
  await writeFile(schema, '{"type":"object","properties":{"hostname":{"type":"string"}}}')
  const asked = [
    '--prompt',
    'Which host?',
    '--schema',
    schema,
    '--no-machines',
    '--overlap',
    'queue',
    '--timeout',
    '2m',
  ]
  const changed = JSON.parse((await cmdop('update', id, ...asked, '--json')).stdout) as object
  expect(changed).toMatchObject({
    command: '',
    prompt: 'Which host?',
    machine_ids: [],
    overlap: 'queue',
    timeout_seconds: 120,
  })
  expect((await cmdop('get', id)).stdout).toContain('prompt: Which host?')
  await cmdop('update', 'nightly', '--retries', '2', '--missed', 'run_once')
  expect((await cmdop('get', 'nightly')).stdout).toMatch(
    /\nretries +2, 5 s before each\nmissed +run_once\nnotify +nobody\n$/,
  )
  const wrong = await cmdop('update', id, '--cron', '0 0 30 2 *')
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('never comes') })
  expect((await cmdop('update', id)).code).toBe(2)
  expect((await cmdop('delete', id)).stderr).toContain('is deleted')
  expect((await cmdop('get', id)).code).toBe(4)
})

test('a schedule is named by its name, where only one has it', async () => {
  await using world = await startWorld()
  const env = { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey }
  const cmdop = (...argv: string[]) => runCli(['schedules', ...argv], env)
  const schedule = { name: 'nightly', cronExpr: '@daily', command: 'true' }
  const { id } = await world.client.schedules.create(schedule)
  expect(JSON.parse((await cmdop('get', 'nightly', '--json')).stdout)).toMatchObject({ id })
  expect(await cmdop('get', 'weekly')).toMatchObject({ code: 4, stderr: expect.stringContaining('schedule weekly') })
  const second = await world.client.schedules.create(schedule)
  expect(await cmdop('delete', 'nightly')).toMatchObject({
    code: 4,
    stderr: `cmdop: ambiguous: 2 schedules are called nightly: ${id}, ${second.id}. Use an id.\n`,
  })
})

test('^C stops waiting for a run and says how to end it, and the run goes on', async () => {
  await using world = await startWorld()
  const env = { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey }
  const begun = join(await world.folder(), 'begun')
  const command = `touch ${begun}; sleep 60`
  const { id } = await world.client.schedules.create({ name: 'long', cronExpr: '@yearly', command })
  const { fleetId } = await world.client.machines.get(world.machine.id)
  const waiting = startCli(['schedules', 'trigger', 'long', '--wait', '--fleet', fleetId], env)
  await vi.waitFor(() => access(begun), 20_000)
  waiting.child.kill('SIGINT')
  const [run] = (await world.client.schedules.runs(id)).items
  expect(await waiting.done).toMatchObject({
    code: 130,
    stderr: `cmdop: cancelled: The run goes on; to end it: cmdop schedules cancel ${id} ${run?.id} --fleet ${fleetId}\n`,
  })
  expect(run?.status).toBe('running')
  await world.client.schedules.cancel(id, run?.id ?? '')
})
