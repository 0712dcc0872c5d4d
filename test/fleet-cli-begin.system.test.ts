import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from './processes/cli.ts'
import { startWorld, type World } from './world.ts'

let world: World
let env: Record<string, string> = {}
beforeAll(async () => {
  world = await startWorld({ machines: 2 })
  env = { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey }
})
afterAll(() => world[Symbol.asyncDispose]())

const fleet = (...argv: string[]) => runCli(['fleet', ...argv], env)

test('an operator works on each machine, and each answer fits the schema of the file', async () => {
  const schema = join(await world.folder(), 'host.json')
  const hostname = { type: 'object', properties: { hostname: { type: 'string' } }, required: ['hostname'] }
  await writeFile(schema, JSON.stringify(hostname))
  const { code, stdout } = await fleet('run', '--on', '*', '--schema', schema, '--model', 'facts', '--json', 'Which?')
  const { rows, runId } = JSON.parse(stdout) as { rows: { result: { output: unknown } }[]; runId: string }
  expect(rows.map(({ result }) => result.output)).toEqual([
    { hostname: expect.any(String) },
    { hostname: expect.any(String) },
  ])
  expect(code).toBe(0)
  const report = await fleet('report', runId)
  expect(report.stdout).toContain('== 2 machines: machine-0, machine-1\n   ok\n{\n  "hostname"')
  const again = await fleet('resume', runId, '--schema', schema)
  expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('2 ok')])
}, 60_000)

test('a file is copied to each machine, and collected from each', async () => {
  const folder = await world.folder()
  const at = (name: string) => join(folder, name)
  await writeFile(at('app'), 'content')
  const copied = await fleet('copy', '--on', '*', '--parents', at('app'), at('there/app'))
  expect([copied.code, copied.stdout]).toEqual([0, expect.stringContaining('1 files, 7 bytes, SHA-256')])
  const collected = await fleet('copy', '--on', '*', '--collect', at('there/app'), at('logs'))
  expect(collected.code).toBe(0)
  expect(await readFile(at('logs/machine-1'), 'utf8')).toBe('content')
})

test('machines are those of a run that ended so, and an instant after which nothing begins is kept', async () => {
  const first = await fleet('exec', '--on', '*', '--json', '--shell', '--', 'exit 1')
  const { runId } = JSON.parse(first.stdout) as { runId: string }
  const second = await fleet('exec', '--on', 'machine-1', '--on-run', `${runId}:failed,timeout`, '--', 'true')
  expect([second.code, second.stdout]).toEqual([0, expect.stringContaining('1 machine in')])
  expect((await fleet('exec', '--on-run', `${runId}:ok`, '--', 'true')).code).toBe(4)
  const late = await fleet('exec', '--on', '*', '--not-after', '2020-01-01T00:00:00Z', '--', 'true')
  expect([late.code, late.stdout]).toEqual([1, expect.stringContaining('2 skipped\nStopped: No machine begins')])
  for (const wrong of [['--on-run', `${runId}:bad`], [], ['--on', '*', '--not-after', 'noon']])
    expect((await fleet('exec', ...wrong, '--', 'true')).code).toBe(2)
})
