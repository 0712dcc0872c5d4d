import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cliMain, runCli } from './processes/cli.ts'
import { ownEnvironment } from './processes/environment.ts'
import { watch } from './watch.ts'
import { invitePerson } from './people.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
let env: Record<string, string> = {}
let names: string[] = []
beforeAll(async () => {
  world = await startWorld({ machines: 3 })
  env = { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey }
  names = world.machines.map(({ name }) => name).toSorted()
  for (const { id, name } of world.machines) {
    const role = name === names[2] ? 'db' : 'web'
    const { code } = await runCli(['machines', 'label', id, `role=${role}`], env)
    expect(code).toBe(0)
  }
})
afterAll(() => world[Symbol.asyncDispose]())

const on = (selector: string, ...rest: string[]) => runCli(['fleet', 'exec', '--on', selector, ...rest], env)

test('a command over machines shows once what was the same, and its exit code says whether all are ok', async () => {
  const { code, stdout, stderr } = await on('role=web', '--', 'echo', 'hi')
  expect(stdout).toMatch(
    new RegExp(
      `^== 2 machines: ${names[0]}, ${names[1]}\n   ok: exit code 0\nhi\n\n2 machines in \\d+\\.\\d s: 2 ok\n$`,
    ),
  )
  expect(code).toBe(0)
  expect(stderr).toContain(`${names[0]}: ok\n`)
  const failing = await on('*', '--max-failures', '0', '--concurrency', '1', '--shell', '--', `test -z "$X"; exit 3`)
  expect(failing.code).toBe(1)
  expect(failing.stdout).toContain('3 machines in')
  expect(failing.stdout).toContain('1 failed, 2 skipped\nStopped: 1 machines failed, more than maxFailures allows (0).')
})

test('a run is listed, reported in every form, gone on with and done again where it failed', async () => {
  const waves = ['--waves', '1,100%', '--title', 'Look around']
  const { stdout, code } = await on('role=web', ...waves, '--format', 'json', '--', 'false')
  expect(code).toBe(1)
  const { runId, counts } = JSON.parse(stdout) as { runId: string; counts: Record<string, number> }
  expect(counts).toMatchObject({ failed: 1, skipped: 1 })
  const listed = await runCli(['fleet', 'list'], env)
  expect(listed.stdout).toContain('Look around')
  expect((await runCli(['fleet', 'status', runId], env)).stdout).toContain('stopped: 2 of 2 machines are done')
  const resumed = await runCli(['fleet', 'resume', runId, '--format', 'jsonl'], env)
  expect(
    resumed.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { outcome: string }).outcome),
  ).toEqual(['failed', 'skipped'])
  const again = await runCli(['fleet', 'retry', runId, '--outcomes', 'failed,skipped', '--format', 'junit'], env)
  expect(again.stdout).toContain('<testcase classname')
  expect(again.code).toBe(1)
  const report = await runCli(['fleet', 'report', runId, '--format', 'markdown'], env)
  expect(report.stdout).toContain('# Look around')
  expect((await runCli(['fleet', 'cancel', runId], env)).stderr).toContain('nothing of it begins any more')
})

test('what is wrong is told before any machine is asked', async () => {
  const wrong: [argv: string[], code: number][] = [
    [['exec', '--on', 'role=nobody', '--', 'true'], 4],
    [['exec', '--on', 'web-1,web-2', '--', 'true'], 2],
    [['exec', '--on', '*', '--waves', 'x', '--', 'true'], 2],
    [['exec', '--on', '*', '--format', 'xml', '--', 'true'], 2],
    [['exec', '--', 'true'], 2],
    [['retry', '00000000-0000-4000-8000-000000000000', '--outcomes', 'bad'], 2],
    [['resume', '00000000-0000-4000-8000-000000000000'], 4],
    [['targets', 'role=nobody'], 4],
  ]
  for (const [argv, code] of wrong) expect([argv, (await runCli(['fleet', ...argv], env)).code]).toEqual([argv, code])
  const { stdout } = await runCli(['fleet', 'targets', 'role=db'], env)
  expect(stdout).toContain(names[2])
  expect(stdout).not.toContain(names[0])
})

test('in a terminal a run shows its waves, its counts and who is waited for, and leaves nothing of that behind', async () => {
  const folder = await world.folder()
  const variables = { ...ownEnvironment(), ...env }
  const size = { columns: 100, rows: 30 }
  const session = await world.handle.sessions.open({ shell: 'sh', env: { ...variables, PS1: '' }, size })
  await using attachment = await session.attach({ size })
  const seen = watch(attachment)
  const command = `until test -e ${folder}/go; do sleep 0.05; done`
  const words = [
    process.execPath,
    '--conditions=@cmdop/source',
    cliMain,
    'fleet',
    'exec',
    '--on',
    '*',
    '--waves',
    '1,100%',
  ]
  await attachment.write(`${[...words, '--shell', '--'].map((word) => `'${word}'`).join(' ')} '${command}'\n`)
  await seen.until(`waiting for ${names[0]} 1 s`)
  expect(seen.text).toContain('wave 1/2  ........................  0/1\r\nwave 2/2  ........................  0/2\r\n')
  expect(seen.text).toContain('none is done  1 running\r\n')
  await world.handle.exec(`touch ${folder}/go`)
  await seen.until('3 machines in')
  // Some lines up, and everything below is gone, before the report comes.
  expect(seen.text).toMatch(/\[\dA.\[J== 3 machines/)
  await session.close()
})

test('a report is a page of HTML, too, that is for a browser without a relay', async () => {
  const { stdout, code } = await on('role=web', '--format', 'html', '--title', '<b>Look</b>', '--', 'echo', '<script>')
  expect(code).toBe(0)
  expect(stdout).toMatch(/^<!doctype html>/)
  expect(stdout).toContain('&lt;script&gt;')
  expect(stdout).not.toMatch(/<script|<b>|https?:/)
})

test('a run waits for people, who see once what is equal, approve it, and pause and continue it', async () => {
  const bob = await invitePerson(world, 'bob')
  const asBob = { ...env, CMDOP_TOKEN: bob.token }
  const runId = randomUUID()
  const flags = ['--run-id', runId, '--approval', 'before', '--waves', '1,100%']
  const run = on('role=web', ...flags, '--', 'echo', 'hi')
  const question = await waitFor('people are asked', async () => {
    const { items } = await world.client.approvals.list({ runId })
    return items[0]
  })
  const waits = await waitFor('the run waits', async () => {
    const { stdout } = await runCli(['fleet', 'status', runId], env)
    return stdout.includes('paused') && stdout
  })
  expect(waits).toContain(`Waits: for people who approve it: cmdop approvals show ${question.id}`)
  expect((await runCli(['fleet', 'continue', runId], asBob)).stderr).toContain(`people who approve ${question.id}`)
  const { stdout } = await runCli(['approvals', 'show', question.id], asBob)
  expect(stdout).toContain('Machines   2, in 1 groups of what is the same: 2')
  expect(stdout).toContain(`On 2 machines, the same on each: ${names[0]}, ${names[1]}:\n    echo hi`)
  const each = await runCli(['approvals', 'actions', question.id], asBob)
  expect(each.stdout.match(/^On /gm)).toHaveLength(2)
  const { code } = await runCli(['approvals', 'approve', question.id, '--digest', question.planDigest], asBob)
  expect(code).toBe(0)
  const ended = await run
  expect(ended.code).toBe(0)
  expect(ended.stderr).toContain(`waits for people who approve it: cmdop approvals show ${question.id}`)
  expect((await runCli(['fleet', 'pause', runId], asBob)).stderr).toContain('The fleet run is ended already')
})

test('each daemon is asked for a sign of life', async () => {
  const { stdout, code } = await runCli(['fleet', 'ping', 'role=web', '--json'], env)
  expect(code).toBe(0)
  const { items } = JSON.parse(stdout) as { items: { name: string; round_trip_ms: number | null }[] }
  expect(items.map(({ name }) => name)).toEqual(names.slice(0, 2))
  for (const { round_trip_ms } of items) expect(round_trip_ms).toBeGreaterThan(0)
  const shown = await runCli(['fleet', 'ping', '*', '--timeout', '2s'], env)
  expect(shown.stdout.match(/ \d+\.\d ms /g)).toHaveLength(3)
})
