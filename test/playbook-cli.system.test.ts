import { mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PlaybookDryRun, PlaybookReport } from '@cmdop/fleet'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { cliMain, runCli } from './processes/cli.ts'
import { ownEnvironment } from './processes/environment.ts'
import { watch } from './watch.ts'
import { startWorld, type World } from './world.ts'

const file = fileURLToPath(new URL('fixtures/write-playbook.ts', import.meta.url))

let world: World
let env: Record<string, string> = {}
let folder = ''
let names: string[] = []
beforeAll(async () => {
  world = await startWorld({ machines: 2 })
  env = { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey }
  names = world.machines.map(({ name }) => name).toSorted()
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  folder = await world.folder()
})

const cli = (...argv: string[]) => runCli(['playbook', ...argv], env)
const run = (...more: string[]) => cli('run', file, '--on', '*', '--input', `folder=${folder}`, ...more)

test('a playbook of a file runs with inputs from the command line, and its steps are told as they end', async () => {
  const { code, stdout, stderr } = await run('--input', 'word=12', '--input', 'times=2')
  expect(stderr).toContain(`write: ok on ${names.join(', ')}\n`)
  expect(stdout).toMatch(/^STEP +KIND +OUTCOME +MACHINES +RUN\nwrite +exec +ok +/)
  expect(stdout).toMatch(/\nwrite: ok in \d+\.\d s\n$/)
  expect(code).toBe(0)
  expect(await readFile(join(folder, names[0] ?? ''), 'utf8')).toBe('12\n12\n')
})

test('when it fails its exit code says so, and what it had done is undone', async () => {
  const { code, stdout, stderr } = await run('--input', 'word=x', '--input', 'fails=true')
  expect(code).toBe(1)
  expect(stderr).toContain('undoing what has ended well')
  expect(stdout).toContain('Undone:\n')
  expect(stdout).toContain('exit code 4')
  expect(await readdir(folder)).toEqual([])
})

test('a dry run says what would happen, and nothing does', async () => {
  const { code, stdout } = await run('--input', 'word=x', '--dry-run')
  expect(await readdir(folder)).toEqual([])
  expect(stdout).toContain('nothing has reached any machine')
  const { stdout: json } = await run('--input', 'word=x', '--dry-run', '--json')
  const dry = JSON.parse(json) as PlaybookDryRun
  const isHeld = dry.steps.every(({ rows }) => rows.every(({ grade }) => grade === 'verified'))
  expect([code, dry.isKnown]).toEqual(isHeld ? [0, true] : [1, false])
  if (isHeld) expect(stdout).toContain(`added ${folder}/${names[0]}`)
  expect(await readdir(folder)).toEqual([])
})

test('in a terminal the step that goes on is drawn with who is waited for, and a line is left of each that has ended', async () => {
  const size = { columns: 100, rows: 30 }
  const variables = { ...ownEnvironment(), ...env, PS1: '' }
  const session = await world.handle.sessions.open({ shell: 'sh', env: variables, size })
  await using attachment = await session.attach({ size })
  const seen = watch(attachment)
  // Nothing is written, so that the check waits in vain.
  const inputs = ['--input', `folder=${folder}`, '--input', 'word=x', '--input', 'times=0']
  const words = [
    process.execPath,
    '--conditions=@cmdop/source',
    cliMain,
    'playbook',
    'run',
    file,
    '--on',
    '*',
    ...inputs,
  ]
  await attachment.write(`${words.map((word) => `'${word}'`).join(' ')}\n`)
  await seen.until('written\r\nwave 1/1  ........................  0/2\r\n')
  await seen.until(`waiting for ${names[0]} `)
  await seen.until('undoing what has ended well')
  expect(seen.text).toContain(`write: ok on ${names.join(', ')}\r\n`)
  await seen.until('write: failed in')
  await session.close()
})

test('a run is looked at again and undone by its id alone, or with the file where that is now', async () => {
  const moved = join(await world.folder(), 'book.ts')
  await writeFile(moved, await readFile(file))
  await mkdir(join(moved, '..', 'node_modules'))
  for (const name of ['@cmdop', 'zod']) {
    const there = fileURLToPath(new URL(`node_modules/${name}`, import.meta.url))
    await symlink(there, join(moved, '..', 'node_modules', name))
  }
  const inputs = ['--input', `folder=${folder}`, '--input', 'word=x']
  const { stdout } = await cli('run', moved, '--on', '*', ...inputs, '--json')
  const { runId, outcome } = JSON.parse(stdout) as PlaybookReport
  expect(outcome).toBe('ok')
  expect((await cli('resume', runId)).code).toBe(0)
  // It is a fleet run, too.
  const asRun = await runCli(['fleet', 'report', runId], env)
  expect(asRun.stdout).toContain('{"steps":3}')
  expect(asRun.code).toBe(0)
  await rename(moved, `${moved}.gone.ts`)
  const lost = await cli('resume', runId)
  expect(lost.stderr).toContain('cannot be loaded')
  expect(lost.code).toBe(2)
  const undone = await cli('undo', runId, '--file', `${moved}.gone.ts`)
  expect(undone.stdout).toContain('write.rollback')
  expect(undone.code).toBe(130)
  expect(await readdir(folder)).toEqual([])
})

test('what is wrong with a file or its inputs is told, with what helps, before any machine is asked', async () => {
  const other = await world.folder()
  const written = async (name: string, text: string) => {
    await writeFile(join(other, name), text)
    return join(other, name)
  }
  const on = ['--on', '*']
  const wrong: [argv: string[], code: number, said: string][] = [
    [['run', await written('enum.ts', 'enum Colour { Red }\nexport default Colour'), ...on], 2, 'enum'],
    [['run', await written('import.ts', `import 'not-there'`), ...on], 2, 'npm install'],
    [['run', await written('none.ts', 'export const one = 1'), ...on], 2, 'exports no playbook'],
    [['run', join(other, 'missing.ts'), ...on], 2, 'cannot be loaded'],
    [['run', file, ...on, '--input', `folder=${folder}`], 2, 'word'],
    [['run', file, ...on, '--input', 'word'], 2, 'name=value'],
    [['run', file, '--on', 'role=nobody', '--input', `folder=${folder}`, '--input', 'word=x'], 4, 'No machine'],
    [['run', file], 2, '--on'],
    [['resume', '00000000-0000-4000-8000-000000000000'], 4, 'no such fleet run'],
  ]
  for (const [argv, code, said] of wrong) {
    const { stderr, code: got } = await cli(...argv)
    expect([argv, got, stderr]).toEqual([argv, code, expect.stringContaining(said)])
  }
  expect(await readdir(folder)).toEqual([])
})
