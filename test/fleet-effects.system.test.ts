import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFleet } from '@cmdop/fleet'
import type { ApprovalInfo } from '@cmdop/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { invitePerson, type Person } from './people.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
let bob: Person
let names: string[]
beforeAll(async () => {
  world = await startWorld({ machines: 4 })
  names = world.machines.map(({ name }) => name).sort()
  bob = await invitePerson(world, 'bob')
})
afterAll(() => world[Symbol.asyncDispose]())

/** The questions of a run, once there are so many. */
async function questionsOf(runId: string, count: number): Promise<ApprovalInfo[]> {
  const items = await waitFor('people are asked', async () => {
    const found = await world.client.approvals.list({ runId, state: 'pending' })
    return found.items.length === count && found.items
  })
  return await Promise.all(items.map(({ id }) => bob.client.approvals.get(id)))
}

/** A folder whose one file is what each machine has of its own. */
async function settingsOf(contents: readonly string[]) {
  const folder = await world.folder()
  const fileOf = (name: string | undefined) => join(folder, `${name}.conf`)
  for (const [index, name] of names.entries()) await writeFile(fileOf(name), contents[index] ?? '')
  const read = () => Promise.all(names.map((name) => readFile(fileOf(name), 'utf8')))
  return { fileOf, read }
}

test('people are asked once for each different effect, and what they approve is applied, and nothing else', async () => {
  const { read, fileOf } = await settingsOf(['port=1\n', 'port=1\n', 'port=2\n', 'port=9\n'])
  const shared = await settingsOf(['', '', '', ''])
  // The same file on all machines, which share a disk here: each of two effects is that of its machines.
  const run = createFleet(world.client, '*').exec(
    ({ name }) => (name === names[3] ? 'true' : `echo ${name === names[2] ? 'b' : 'a'} > ${shared.fileOf('new')}`),
    { approval: 'effects' },
  )
  const questions = await questionsOf(run.runId, 2)
  const [larger, smaller] = questions.toSorted((one, other) => other.actionCount - one.actionCount)
  expect([larger?.actionCount, smaller?.actionCount]).toEqual([2, 1])
  expect(larger?.groups).toMatchObject([{ count: 2, machineNames: [names[0], names[1]] }])
  const effects = larger?.actions[0]?.effect?.list?.effects
  expect(effects).toMatchObject([{ kind: 'added', path: shared.fileOf('new'), diff: expect.stringContaining('+a') }])
  await expect(readFile(shared.fileOf('new'))).rejects.toThrow('ENOENT')
  await bob.client.approvals.deny(larger?.id ?? '', { reason: 'not a' })
  await bob.client.approvals.approve(smaller?.id ?? '', { planDigest: smaller?.planDigest ?? '' })
  const report = await run
  expect(report.rows.map(({ outcome, error }) => [outcome, error?.code])).toEqual([
    ['denied', 'approval_denied'],
    ['denied', 'approval_denied'],
    ['ok', undefined],
    ['ok', undefined],
  ])
  expect(report.rows[2]?.result).toMatchObject({ effect: { state: 'applied', counts: { added: 1 } } })
  expect(await readFile(shared.fileOf('new'), 'utf8')).toBe('b\n')
  expect([await read(), fileOf(names[0])]).toHaveLength(2)
})

test('a machine that was changed since its dry run is left as it is, and failed', async () => {
  const { read, fileOf } = await settingsOf(['1\n', '2\n', '3\n', '4\n'])
  const run = createFleet(world.client, '*').exec(({ name }) => `echo next >> ${fileOf(name)}`, { approval: 'effects' })
  const questions = await questionsOf(run.runId, 4)
  await writeFile(fileOf(names[1]), 'changed\n')
  for (const { id, planDigest } of questions) await bob.client.approvals.approve(id, { planDigest })
  const report = await run
  expect(report.rows.map(({ outcome, error }) => [outcome, error?.code])).toEqual([
    ['ok', undefined],
    ['failed', 'effect_conflict'],
    ['ok', undefined],
    ['ok', undefined],
  ])
  expect(await read()).toEqual(['1\nnext\n', 'changed\n', '3\nnext\n', '4\nnext\n'])
})

test('nobody is asked where nothing would change, and a dry run that fails changes nothing', async () => {
  const { read, fileOf } = await settingsOf(['', '', '', ''])
  const report = await createFleet(world.client, '*').exec(
    ({ name }) => (name === names[0] ? `echo x > ${fileOf(name)}; exit 3` : 'true'),
    { approval: 'effects' },
  )
  expect(report.rows.map(({ outcome }) => outcome)).toEqual(['failed', 'ok', 'ok', 'ok'])
  expect(await read()).toEqual(['', '', '', ''])
  expect((await world.client.approvals.list({ runId: report.runId })).items).toEqual([])
})

test('people are asked about some of very many different effects at once, and about the next as they answer', async () => {
  await using many = await startWorld({ machines: 10 })
  const folder = await many.folder()
  const command = ({ name }: { name: string }) => `echo ${name} > ${folder}/${name}`
  const run = createFleet(many.client, '*').exec(command, { approval: 'effects', concurrency: 4 })
  const pending = async () => (await many.client.approvals.list({ runId: run.runId, state: 'pending' })).items
  const first = await waitFor('people are asked', async () => {
    const items = await pending()
    return items.length === 8 && items
  })
  const approve = ({ id, planDigest }: { id: string; planDigest: string }) =>
    many.client.approvals.approve(id, { planDigest })
  for (const question of first) await approve(question)
  const rest = await waitFor('people are asked about the others', async () => {
    const items = await pending()
    return items.length === 2 && items
  })
  for (const question of rest) await approve(question)
  expect(await run).toMatchObject({ ok: true, counts: { ok: 10 } })
})
