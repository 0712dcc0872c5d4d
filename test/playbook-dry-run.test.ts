import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { playbook, type PlaybookDryRun, step } from '@cmdop/fleet'
import { isCmdopError } from '@cmdop/protocol'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { startWorld, type World } from './world.ts'

let world: World
/** Whether this machine can make a view. Where it cannot, the same tests hold that it says so and does nothing. */
let hasViews = false
let folder = ''
beforeAll(async () => {
  world = await startWorld({ machines: 2 })
  hasViews = await world.handle.exec('true', { restrictions: { dryRun: true } }).then(
    () => true,
    (error: unknown) => {
      if (isCmdopError(error) && error.code === 'restriction_unenforceable') return false
      throw error
    },
  )
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  folder = await world.folder()
  await writeFile(join(folder, 'kept'), 'one\n')
  await writeFile(join(folder, 'new'), 'two\n')
})

/** What a dry run says of each step, on machines that all say the same. */
function gradesOf({ steps }: PlaybookDryRun): string[] {
  return steps.map(({ step: name, rows }) => [name, ...new Set(rows.map(({ grade }) => grade))].join(' '))
}

test('a dry run does each step after the others in a view, changes nothing, and tells what would change', async () => {
  const read = step.exec('read', ['cat', join(folder, 'kept')])
  const book = playbook('change', {
    inputs: z.object({ word: z.string() }),
    steps: ({ word }) => [
      read,
      step.exec('remove', `rm kept; echo ${word} > made`, { cwd: folder, rollback: 'false' }),
      step.approve('sure', 'Sure?'),
      step.copy('copy', join(folder, 'new'), join(folder, 'copied')),
      step.parallel('both', [
        step.exec('see', (at) => `cat made copied; echo ${at.valueOf(read).stdout.trim()}`, { cwd: folder }),
        step.check('there', ['test', '-e', join(folder, 'made')]),
      ]),
      step.check('started', 'false'),
    ],
  })
  const dry = await book.dryRun(world.client, { on: '*', inputs: { word: 'hello' } })
  expect((await readdir(folder)).toSorted()).toEqual(['kept', 'new'])
  expect(await readFile(join(folder, 'kept'), 'utf8')).toBe('one\n')
  expect((await world.client.fleetRuns.list()).items).toEqual([])
  expect((await world.client.approvals.list()).items).toEqual([])
  if (!hasViews) {
    expect(dry.isKnown).toBe(false)
    expect(new Set(dry.steps.flatMap(({ rows }) => rows.map(({ grade }) => grade)))).toEqual(new Set(['unsupported']))
    return
  }
  expect(gradesOf(dry)).toEqual([
    'read verified',
    'remove verified',
    'sure asked',
    'copy verified',
    'see verified',
    'there verified',
    'started unknown',
  ])
  expect(dry.steps[4]?.rows[0]?.result).toMatchObject({ stdout: 'hello\ntwo\none\n' })
  expect(dry.isKnown).toBe(false)
  // Both machines are this one, so they would change the same.
  expect(dry.effects).toHaveLength(1)
  expect(dry.effects[0]?.machines).toHaveLength(2)
  const changes = dry.effects[0]?.effect?.effects.map(({ kind, path }) => `${kind} ${path.replace(`${folder}/`, '')}`)
  expect(changes?.toSorted()).toEqual(['added copied', 'added made', 'deleted kept'])
  expect((await world.handle.sessions.list()).length).toBe(0)
})

test('what depends on what is not known before is unknown, and nothing comes after what failed', async () => {
  const asked = step.run('ask', 'Which port?', { outputSchema: z.object({ port: z.number() }) })
  const dry = await playbook('unknown', {
    steps: [
      asked,
      step.exec('use', (at) => `echo ${at.valueOf(asked).port}`),
      step.exec('plain', 'echo plain'),
      step.exec('bad', 'exit 3'),
      step.exec('after', `touch ${folder}/after`),
    ],
  }).dryRun(world.client, { on: '*' })
  expect(await readdir(folder)).not.toContain('after')
  if (!hasViews) return
  expect(gradesOf(dry)).toEqual(['ask unknown', 'use unknown', 'plain verified', 'bad failed', 'after unknown'])
  expect(dry.steps[0]?.rows[0]).toMatchObject({ does: 'Which port?', why: 'An AI operator is not asked in a dry run.' })
  expect(dry.steps[1]?.rows[0]?.why).toBe(`The value of the step 'ask' is not known before it has run.`)
  expect(dry.steps[3]?.rows[0]?.why).toBe('It ended with exit code 3.')
  expect(dry.steps[4]?.rows[0]?.why).toContain(`The step 'bad' failed here`)
})
