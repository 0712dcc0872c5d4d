import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { playbook, step } from '@cmdop/fleet'
import { expect, test } from 'vitest'
import { waitFor } from './wait-for.ts'
import { startWorld } from './world.ts'

test('a step whose end nobody knows stops the playbook, nothing is undone until somebody says so, and it is not run again', async () => {
  await using world = await startWorld({ separateProcesses: true })
  const folder = await world.folder()
  const file = join(folder, 'log')
  const log = async () => (await readFile(file, 'utf8').catch(() => '')).trim().split('\n')
  const book = playbook('die', {
    steps: [
      step.exec('one', `echo one >> ${file}`, { rollback: `echo undo >> ${file}` }),
      step.exec('die', `echo die >> ${file}; sleep 300`, { rollback: `echo never >> ${file}` }),
      step.exec('after', `echo after >> ${file}`),
    ],
  })
  const run = book.run(world.client, { on: '*' })
  await waitFor('the step runs', async () => (await log()).includes('die'))
  await world.machine.kill()
  await world.machine.restart()
  const report = await run
  expect(report).toMatchObject({ outcome: 'unknown', rollbacks: [] })
  expect(report.steps.map(({ outcome }) => outcome)).toEqual(['ok', 'unknown', 'skipped'])
  expect(await log()).toEqual(['one', 'die'])
  await world.whenOnline(world.machine)
  expect(await book.resume(world.client, run.runId)).toMatchObject({ outcome: 'unknown', rollbacks: [] })
  expect(await log()).toEqual(['one', 'die'])
  const undone = await book.undo(world.client, run.runId)
  expect(undone).toMatchObject({ outcome: 'cancelled', rollbacks: [{ step: 'one.rollback', outcome: 'ok' }] })
  expect(await log()).toEqual(['one', 'die', 'undo'])
})
