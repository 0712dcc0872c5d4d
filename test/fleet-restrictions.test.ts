import { readdir } from 'node:fs/promises'
import { scriptedModel, type ScriptedStep } from '@cmdop/agent/testing'
import { createFleet } from '@cmdop/fleet'
import { isCmdopError } from '@cmdop/protocol'
import { Client } from 'cmdop'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startWorld, type World } from './world.ts'

let world: World
/** Whether these machines can make a view. Where they cannot, the same tests hold that each row says so, and nothing ran. */
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
})

const writes = (): ScriptedStep => ({
  calls: [{ tool: 'run_command', input: { command: `echo x > ${folder}/written; ls ${folder}` } }],
})
const operating = (model: ReturnType<typeof scriptedModel>) =>
  new Client({ baseUrl: world.relay.url, token: world.relay.firstKey, agent: { model } })

test('what a command may not write it does not write, on any machine', async () => {
  const report = await createFleet(world.client, '*').exec(`echo x > ${folder}/written`, {
    restrictions: { readOnly: true },
  })
  // There it is a scratch file, which vanishes.
  const [outcome, code] = hasViews ? ['ok', undefined] : ['unsupported', 'restriction_unenforceable']
  expect(report.rows.map((row) => [row.outcome, row.error?.code])).toEqual([
    [outcome, code],
    [outcome, code],
  ])
  expect(await readdir(folder)).toEqual([])
})

test('a machine that cannot hold a restriction is unsupported, and nothing runs there', async () => {
  const report = await createFleet(world.client, '*').exec(`echo x > ${folder}/written`, {
    restrictions: { noSudo: true },
  })
  // What runs as root already cannot be kept from becoming root.
  const isHeld = hasViews && process.getuid?.() !== 0
  expect(report.counts).toMatchObject(isHeld ? { ok: 2 } : { unsupported: 2 })
  if (isHeld) return
  expect(report).toMatchObject({ failures: 2, ok: false })
  expect(await readdir(folder)).toEqual([])
})

test('a dry run changes nothing, and each row has what would change there, to be applied', async () => {
  const report = await createFleet(world.client, '*').exec(`echo x > ${folder}/written`, {
    restrictions: { dryRun: true },
  })
  expect(await readdir(folder)).toEqual([])
  if (!hasViews) return expect(report.counts).toMatchObject({ unsupported: 2 })
  expect(report.rows).toMatchObject([
    { outcome: 'ok', result: { effect: { state: 'pending', counts: { added: 1 } } } },
    { outcome: 'ok', result: { effect: { state: 'pending', counts: { added: 1 } } } },
  ])
  const effect = report.rows[0]?.result?.effect
  await world.handle.effects.apply(effect?.effectId ?? '', effect?.hash ?? '')
  expect(await readdir(folder)).toEqual(['written'])
})

test('an operator is held as a command is, and a machine that cannot hold it asks no model', async () => {
  using model = scriptedModel(hasViews ? [writes(), { text: 'Done.' }, writes(), { text: 'Done.' }] : [])
  await using client = operating(model)
  const report = await createFleet(client, '*').run('Write', { restrictions: { dryRun: true }, concurrency: 1 })
  expect(await readdir(folder)).toEqual([])
  if (!hasViews) return expect(report.counts).toMatchObject({ unsupported: 2 })
  for (const { outcome, result } of report.rows) {
    expect({ outcome, output: result?.output }).toEqual({ outcome: 'ok', output: 'Done.' })
    expect(result?.effects).toMatchObject([{ state: 'pending', counts: { added: 1 } }])
  }
  // They saw what they wrote, each in its view.
  expect(model.seen[1]?.toolResults.at(-1)?.text).toContain('written')
})

test('the policy of a run tightens that of the fleet for its operators, as for one on one machine', async () => {
  const rule = {
    id: 'no-dates',
    decision: 'deny',
    reason: 'Time is not told here.',
    command: { name: 'date' },
    match: ['date -u'],
    notMatch: ['uptime'],
  }
  const asks: ScriptedStep = { calls: [{ tool: 'run_command', input: { command: ['date'] } }] }
  using model = scriptedModel([asks, { text: 'Done.' }, asks, { text: 'Done.' }])
  await using client = operating(model)
  const report = await createFleet(client, '*').run('Look', { policy: { rules: [rule] }, concurrency: 1 })
  expect(report.ok).toBe(true)
  expect(model.seen[1]?.toolResults.at(-1)?.text).toContain('Time is not told here.')
  await expect(createFleet(client, '*').run('Look', { policy: { mode: 'bypass' } } as never)).rejects.toMatchObject({
    code: 'validation',
  })
})
