import { randomUUID } from 'node:crypto'
import { createFleet, type Targets } from '@cmdop/fleet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ machines: 4 })
  for (const [index, { id }] of world.machines.entries())
    await world.client.machines.label(id, { role: index < 3 ? 'web' : 'db', zone: index % 2 === 0 ? 'a' : 'b' })
})
afterAll(() => world[Symbol.asyncDispose]())

const meant = async (targets: Targets) =>
  (await createFleet(world.client, targets).preview({ allowEmpty: true })).map(({ name }) => name.slice(-1)).join('')

test('targets are put together from selectors, fleets and runs with and, or and not', async () => {
  expect(await meant({ allOf: ['role=web', { not: 'zone=a' }] })).toBe('1')
  expect(await meant({ anyOf: ['role=db', 'machine-0'] })).toBe('03')
  expect(await meant({ allOf: [{ anyOf: ['machine-0', 'machine-3'] }, { not: 'role=web' }] })).toBe('3')
  expect(await meant({ not: { machine: 'machine-1' } })).toBe('023')
  expect(await meant([])).toBe('')
})

test('a fleet is its machines, by name or id, and no other fleet is reached', async () => {
  const { fleetId: id, fleetName: name } = await world.client.me()
  expect(await meant({ fleet: id })).toBe('0123')
  expect(await meant({ allOf: [{ fleet: name }, 'role=db'] })).toBe('3')
  await expect(meant({ fleet: 'elsewhere' })).rejects.toMatchObject({ code: 'not_found' })
})

test('machines of a run are those it was over, or those that ended so, by its id and by its report', async () => {
  const report = await createFleet(world.client, 'role=web').exec(({ name }) => `test ${name} != machine-1`)
  for (const run of [report, report.runId]) {
    expect(await meant({ run })).toBe('012')
    expect(await meant({ run, outcomes: ['failed', 'timeout'] })).toBe('1')
    expect(await meant({ allOf: ['*', { not: { run, outcomes: ['ok'] } }] })).toBe('13')
    expect(await meant({ run, outcomes: ['lost'] })).toBe('')
  }
  await expect(meant({ run: randomUUID() })).rejects.toMatchObject({ code: 'not_found' })
})

test('what is no targets is refused, and a name has to be that of a machine wherever it stands', async () => {
  const wrong: unknown[] = [
    {},
    { allOf: [] },
    { anyOf: 'web' },
    { nobody: 1 },
    { run: 'x', outcomes: ['bad'] },
    7,
    null,
  ]
  for (const targets of wrong) await expect(meant(targets as Targets)).rejects.toMatchObject({ code: 'validation' })
  await expect(meant({ allOf: ['*', { not: 'machine-9' }] })).rejects.toMatchObject({ code: 'not_found' })
})
