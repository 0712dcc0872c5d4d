import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { AuditTrail } from '../audit/audit-trail.ts'
import { addFleet, addMachines, keyRow } from '../store/conformance/world.ts'
import { openTemporaryStore } from '../store/sqlite/temporary-store.ts'
import { RunJournals, type RunWriter } from './run-journals.ts'

test('the operator of a machine writes to the runs of its ask, and to no other of who asked', async () => {
  await using world = await openTemporaryStore()
  const { owner } = await addFleet(world.store)
  const [here, elsewhere] = await addMachines(world.store, owner, [{}, {}])
  if (here === undefined || elsewhere === undefined) throw new Error('Expected two machines.')
  const audit = new AuditTrail({ store: world.store.audit, name: 'main', relayInstance: 'run_test' })
  const journals = new RunJournals({ store: world.store, audit, ended: async () => {} })
  const writer = { fleetId: owner.fleetId, principalId: owner.id, principal: owner, key: keyRow(owner) }
  const script: RunWriter = { ...writer, requestId: 'req_1' }
  const ofAsk = (askId: string): RunWriter => ({ ...script, ask: { askId, machineId: here.id } })
  const run = (machineId = here.id) => ({
    runId: randomUUID(),
    machineId,
    agentType: 'terminal',
    model: 'scripted:scripted',
    title: 'Look',
    entry: { v: 1, type: 'run_started' },
  })
  const more = { index: 1, entries: [{ v: 1, type: 'step_started' }] }
  const [own, other] = [run(), run()]
  expect(await journals.create(ofAsk('ask_1'), own)).toBe(1)
  expect(await journals.append(ofAsk('ask_1'), own.runId, more)).toBe(2)
  expect(await world.store.runs.get(own.runId)).toMatchObject({ askId: 'ask_1', principalId: owner.id })
  await journals.create(script, other)

  const refused = { code: 'permission' }
  await expect(journals.create(ofAsk('ask_1'), run(elsewhere.id))).rejects.toMatchObject(refused)
  await expect(journals.append(ofAsk('ask_1'), other.runId, more)).rejects.toMatchObject(refused)
  // The same id of an ask, on another machine.
  const twin = { ...script, ask: { askId: 'ask_1', machineId: elsewhere.id } }
  await expect(journals.append(twin, own.runId, { ...more, index: 2 })).rejects.toMatchObject(refused)
  await expect(journals.append(ofAsk('ask_2'), own.runId, more)).rejects.toMatchObject(refused)
  await expect(journals.create(ofAsk('ask_2'), own)).rejects.toMatchObject({ code: 'conflict' })
  // Whoever asked may go on with it.
  expect(await journals.append(script, own.runId, { ...more, index: 2 })).toBe(3)
})
