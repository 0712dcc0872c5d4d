import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from './processes/cli.ts'
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
  expect((await runCli(['fleet', 'cancel', runId], env)).stderr).toContain('the run is stopped already')
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
