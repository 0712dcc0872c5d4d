import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { localMachine } from '../testing/local-machine.ts'
import { sampleFacts } from '../testing/sample-facts.ts'
import { CarriedState } from './carried-state.ts'
import { createWorkplace } from './workplace.ts'

const options = { maxOutputBytes: 16_384 }
const workplace = () => createWorkplace(localMachine(sampleFacts()), { prompt: 'Look', runId: 'run-of-a-test' })

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
  expect(await place.run('cd / && cd usr', options)).toMatchObject({
    exitCode: 0,
    stdout: '',
    stderr: '',
    stderrBytes: 0,
  })
  expect(await place.run('pwd', options)).toMatchObject({ stdout: '/usr\n' })
  expect(await place.run(['pwd'], options)).toMatchObject({ stdout: '/usr\n' })
})

test('a directory with spaces, quotes, semicolons and letters of any script carries over', async () => {
  await using home = await folder()
  await using place = workplace()
  const name = `a "b'; c\u{fc} \u{65e5}`
  await place.run(['mkdir', join(home.path, name)], options)
  await place.run(`cd '${home.path}' && cd a*`, options)
  expect(await place.run('pwd', options)).toMatchObject({ stdout: `${join(home.path, name)}\n` })
})

test('a directory that was asked for counts for that command only', async () => {
  await using place = workplace()
  await place.run('cd /usr', options)
  expect(await place.run('pwd; cd /', { ...options, cwd: '/etc' })).toMatchObject({ stdout: '/etc\n' })
  expect(await place.run('pwd', options)).toMatchObject({ stdout: '/usr\n' })
})

test('exported variables carry over exactly, and their file is gone with the run', async () => {
  const mark = randomUUID()
  {
    await using place = workplace()
    const word = `it's \\"quoted\\" \\$HOME\nin two lines`
    await place.run(`export WORD="${word}" MARK=${mark}; plain=no`, options)
    expect(await place.run('printf %s "$WORD"; printf %s "$plain"', options)).toMatchObject({
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
  carried.take(await localMachine(sampleFacts()).exec(command, { env }), true)
  expect(carried).toMatchObject({ directory: '/usr', file: undefined })
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
  expect(await place.run(command, options)).toMatchObject({ exitCode })
})

test('what a command writes to standard error stays as it is, the mark is not in it', async () => {
  await using place = workplace()
  const result = await place.run('printf "no newline" >&2', options)
  expect(result).toMatchObject({ stderr: 'no newline', stderrBytes: 10, stderrTruncated: false })
  expect(Buffer.from(result.stderrData).toString()).toBe('no newline')
})

test('a mark that a command prints itself moves nothing', async () => {
  await using place = workplace()
  await place.run(String.raw`printf '\033]5379;0123456789abcdef01234567;0;/etc\007' >&2`, options)
  expect((await place.run('pwd', options)).stdout).not.toBe('/etc\n')
})

test('a machine without sessions runs its commands all the same', async () => {
  await using place = workplace()
  await place.run('true', options)
  expect(place).toMatchObject({ sessionId: null, recordingId: null })
})
