import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { localMachine } from '../testing/local-machine.ts'
import { sampleFacts } from '../testing/sample-facts.ts'
import { CarriedState } from './carried-state.ts'
import { createWorkplace, type CommandOptions, type Workplace } from './workplace.ts'

const workplace = () => createWorkplace(localMachine(sampleFacts()), { prompt: 'Look', runId: 'run-of-a-test' })

/** A command to its end, with all it put out. */
async function run(place: Workplace, command: string | readonly string[], options: CommandOptions = {}) {
  const running = place.run(command, options)
  const output = { stdout: '', stderr: '' }
  for (;;) {
    const { done, value } = await running.next()
    if (done === true) return { ...value, ...output }
    output[value.stream] += Buffer.from(value.data).toString()
  }
}

/** Files of exported variables among which this one is. */
async function leftovers(mark: string): Promise<string[]> {
  const names = (await readdir('/tmp')).filter((name) => name.startsWith('cmdop-run-'))
  const texts = await Promise.all(names.map((name) => readFile(join('/tmp', name), 'utf8').catch(() => '')))
  return texts.filter((text) => text.includes(mark))
}

async function folder(): Promise<AsyncDisposable & { path: string }> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'cmdop-test-')))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

test('the directory of a shell string is where the next command begins, also an argv', async () => {
  await using place = workplace()
  expect(await run(place, 'cd / && cd usr')).toMatchObject({
    exitCode: 0,
    stdout: '',
    stderr: '',
    stderrBytes: 0,
  })
  expect(await run(place, 'pwd')).toMatchObject({ stdout: '/usr\n' })
  expect(await run(place, ['pwd'])).toMatchObject({ stdout: '/usr\n' })
})

test('a directory with spaces, quotes, semicolons and letters of any script carries over', async () => {
  await using home = await folder()
  await using place = workplace()
  const name = `a "b'; c\u{fc} \u{65e5}`
  await run(place, ['mkdir', join(home.path, name)])
  await run(place, `cd '${home.path}' && cd a*`)
  expect(await run(place, 'pwd')).toMatchObject({ stdout: `${join(home.path, name)}\n` })
})

test('a directory that was asked for counts for that command only', async () => {
  await using place = workplace()
  await run(place, 'cd /usr')
  expect(await run(place, 'pwd; cd /', { cwd: '/etc' })).toMatchObject({ stdout: '/etc\n' })
  expect(await run(place, 'pwd')).toMatchObject({ stdout: '/usr\n' })
})

test('exported variables carry over exactly, and their file is gone with the run', async () => {
  const mark = randomUUID()
  {
    await using place = workplace()
    const word = `it's \\"quoted\\" \\$HOME\nin two lines`
    await run(place, `export WORD="${word}" MARK=${mark}; plain=no`)
    expect(await run(place, 'printf %s "$WORD"; printf %s "$plain"')).toMatchObject({
      stdout: `it's "quoted" $HOME\nin two lines`,
      stderr: '',
    })
    expect(await leftovers(mark)).toHaveLength(1)
  }
  expect(await leftovers(mark)).toEqual([])
})

test('a command that exports nothing leaves no file at all', async () => {
  const carried = new CarriedState()
  const { command, env } = carried.wrap('cd /usr; word=no')
  const { stderrData } = await localMachine(sampleFacts()).exec(command, { env })
  expect(carried.filter(true).push(stderrData)).toHaveLength(0)
  expect(carried).toMatchObject({ directory: '/usr', file: undefined })
})

test('what a command is given by name is in no file', async () => {
  const mark = randomUUID()
  await using place = workplace()
  const env = { GIVEN: mark, 'not.a-name': 'x' }
  expect(await run(place, 'export WORD=kept; printf %s "$GIVEN"', { env })).toMatchObject({ stdout: mark })
  expect(await leftovers(mark)).toEqual([])
  expect(await run(place, 'printf %s "$WORD$GIVEN"')).toMatchObject({ stdout: 'kept' })
})

test('a command that only reads goes on where the last one ended, and leaves nothing to the next', async () => {
  await using place = workplace()
  await run(place, 'cd /usr; export WORD=kept')
  const look = await run(place, 'cd /etc; export WORD=changed; pwd', { readOnly: true })
  expect(look).toMatchObject({ stdout: '/etc\n', stderr: '' })
  expect(await run(place, 'echo "$WORD in $PWD"')).toMatchObject({ stdout: 'kept in /usr\n' })
})

test('output is there before the command ends', async () => {
  await using place = workplace()
  await using home = await folder()
  const running = place.run(`echo begun >&2; until [ -e '${home.path}/go' ]; do sleep 0.02; done`, {})
  const { value } = await running.next()
  expect(value).toMatchObject({ stream: 'stderr', data: Buffer.from('begun\n') })
  await run(place, ['touch', join(home.path, 'go')])
  expect(await running.next()).toMatchObject({ done: true, value: { exitCode: 0, stderrBytes: 6 } })
})

test.each([
  ['exit 3', 3],
  ['false', 1],
  ['(exit 4)', 4],
  ['cd /usr; exit 5', 5],
  ['set -eu; cd /usr; false; true', 1],
  ['cat <<END\nexit 9\nEND\nexit 6', 6],
  ['# only a comment', 0],
  ['nonsense-command-that-is-not-there', 127],
  ['if', 2],
])('the exit code of %s stays what it is', async (command, exitCode) => {
  await using place = workplace()
  expect(await run(place, command)).toMatchObject({ exitCode })
})

test('what a command writes to standard error stays as it is, the mark is not in it', async () => {
  await using place = workplace()
  const result = await run(place, 'printf "no newline" >&2')
  expect(result).toMatchObject({ stderr: 'no newline', stderrBytes: 10 })
})

test('a mark that a command prints itself moves nothing', async () => {
  await using place = workplace()
  await run(place, String.raw`printf '\033]5379;0123456789abcdef01234567;0;/etc\007' >&2`)
  expect((await run(place, 'pwd')).stdout).not.toBe('/etc\n')
})

test('a machine without sessions runs its commands all the same', async () => {
  await using place = workplace()
  await run(place, 'true')
  expect(place).toMatchObject({ sessionId: null, recordingId: null })
})
