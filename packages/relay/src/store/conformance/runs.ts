import { describe, expect, it } from 'vitest'
import type { MachineRow, RunEntryRow, RunRow, Store } from '../store.ts'
import { addFleet, addMachines, at, newId, type OpenStore } from './world.ts'

/** What is known of operators' runs. */
export function describeRuns(open: OpenStore): void {
  const addMachine = async (store: Store) => {
    const { owner } = await addFleet(store)
    const [machine] = await addMachines(store, owner, [{}])
    return machine as MachineRow
  }
  const runRow = ({ id: machineId, fleetId }: MachineRow, change: Partial<RunRow> = {}): RunRow => ({
    id: newId('run'),
    fleetId,
    machineId,
    principalId: 'principal_1',
    askId: null,
    policy: null,
    agentType: 'terminal',
    model: 'scripted:scripted',
    title: 'Look',
    state: 'running',
    code: null,
    createdAt: at(1),
    updatedAt: at(1),
    ...change,
  })
  const entry = (runId: string, position: number, body = `{"n":${position}}`): RunEntryRow => ({
    runId,
    position,
    at: at(position),
    totalBytes: 5_000_000_000 + position,
    body,
  })
  const add = async (store: Store, run: RunRow) => {
    await store.runs.create(run, entry(run.id, 0))
    return run
  }

  describe('runs', () => {
    it('gives every field back as it was given, and after a restart', async () => {
      await using world = await open()
      const run = await add(world.store, runRow(await addMachine(world.store)))
      await world.store.runs.append([entry(run.id, 1), entry(run.id, 2)])
      const store = await world.reopen()
      expect(await store.runs.get(run.id)).toEqual(run)
      expect(await store.runs.entries(run.id, { from: 0, limit: 9 })).toEqual([0, 1, 2].map((n) => entry(run.id, n)))
      expect(await store.runs.entries(run.id, { from: 1, limit: 1 })).toEqual([entry(run.id, 1)])
      expect(await store.runs.lastEntry(run.id)).toEqual(entry(run.id, 2))
      const change = { state: 'failed' as const, code: 'lost', updatedAt: at(5) }
      await store.runs.update(run.id, change)
      expect(await store.runs.get(run.id)).toEqual({ ...run, ...change })
      expect(await store.runs.get(newId('run'))).toBeUndefined()
      expect(await store.runs.lastEntry(newId('run'))).toBeUndefined()
    })

    it('adds a run with its first entry once, both or none', async () => {
      await using world = await open()
      const machine = await addMachine(world.store)
      const run = await add(world.store, runRow(machine))
      await expect(world.store.runs.create(run, entry(run.id, 0, 'other'))).rejects.toMatchObject({ code: 'conflict' })
      const stranger = runRow({ ...machine, id: newId('machine') })
      await expect(add(world.store, stranger)).rejects.toMatchObject({ code: 'not_found' })
      expect(await world.store.runs.entries(stranger.id, { from: 0, limit: 9 })).toEqual([])
      expect(await world.store.runs.entries(run.id, { from: 0, limit: 9 })).toEqual([entry(run.id, 0)])
    })

    it('takes the next entry from one of many writers, and leaves no gap', async () => {
      await using world = await open()
      const run = await add(world.store, runRow(await addMachine(world.store)))
      const writers = Array.from({ length: 5 }, (_, n) => [entry(run.id, 1, `a${n}`), entry(run.id, 2, `b${n}`)])
      const taken = await Promise.allSettled(writers.map((rows) => world.store.runs.append(rows)))
      const winners = taken.flatMap(({ status }, n) => (status === 'fulfilled' ? [n] : []))
      expect(winners).toHaveLength(1)
      const bodies = async () => (await world.store.runs.entries(run.id, { from: 0, limit: 9 })).map(({ body }) => body)
      const expected = ['{"n":0}', `a${winners[0]}`, `b${winners[0]}`]
      expect(await bodies()).toEqual(expected)
      await expect(world.store.runs.append([entry(run.id, 4)])).rejects.toMatchObject({ code: 'not_found' })
      // One that fits and one that does not: none.
      await expect(world.store.runs.append([entry(run.id, 3), entry(run.id, 2)])).rejects.toMatchObject({
        code: 'conflict',
      })
      await expect(world.store.runs.append([entry(newId('run'), 0)])).rejects.toMatchObject({ code: 'not_found' })
      expect(await bodies()).toEqual(expected)
    })

    it('lists those of one fleet, of a machine or in a state, the newest first, and continues after a cursor', async () => {
      await using world = await open()
      const machine = await addMachine(world.store)
      const stranger = await addMachine(world.store)
      const rows: RunRow[] = []
      for (const second of [3, 1, 2, 2, 2])
        rows.push(await add(world.store, runRow(machine, { createdAt: at(second) })))
      await add(world.store, runRow(stranger, { createdAt: at(9) }))
      await world.store.runs.update((rows[1] as RunRow).id, { state: 'completed', code: null, updatedAt: at(9) })
      const found: number[] = []
      for (let after: RunRow | undefined, more = true; more;) {
        const page = await world.store.runs.list(machine.fleetId, {
          limit: 2,
          ...(after === undefined ? {} : { after }),
        })
        found.push(...page.map(({ id }) => rows.findIndex((row) => row.id === id)))
        after = page.at(-1)
        more = page.length === 2
      }
      expect(found).toEqual([0, 2, 3, 4, 1])
      const list = async (page: Partial<Parameters<Store['runs']['list']>[1]>) =>
        (await world.store.runs.list(machine.fleetId, { limit: 9, ...page })).length
      expect(await list({ state: 'completed' })).toBe(1)
      expect(await list({ machineId: machine.id })).toBe(5)
      expect(await list({ machineId: stranger.id })).toBe(0)
    })
  })
}
