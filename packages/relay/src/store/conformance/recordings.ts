import { describe, expect, it } from 'vitest'
import type { MachineRow, RecordingRow, Store } from '../store.ts'
import { addFleet, addMachines, at, newId, type OpenStore, recordingRow } from './world.ts'

/** What is known of recordings. */
export function describeRecordings(open: OpenStore): void {
  const addMachine = async (store: Store) => {
    const { owner } = await addFleet(store)
    const [machine] = await addMachines(store, owner, [{}])
    return machine as MachineRow
  }
  const manifestOf = ({ id }: RecordingRow) => ({
    recordingId: id,
    bytes: 5_000_000_000,
    sha256: 'ab'.repeat(32),
    endedAt: at(9),
    durationMs: 12.5,
    exitCode: 1,
    integrity: 'gap' as const,
  })

  describe('recordings', () => {
    it('gives every field back as it was given, and after a restart', async () => {
      await using world = await open()
      const machine = await addMachine(world.store)
      const begun = recordingRow(machine)
      const over = recordingRow(machine, { state: 'damaged', manifest: manifestOf(begun), bytes: 7, blobOffset: 9e12 })
      await world.store.recordings.add([begun, over])
      const store = await world.reopen()
      expect(await store.recordings.get(begun.id)).toEqual(begun)
      expect(await store.recordings.get(over.id)).toEqual(over)
      expect(await store.recordings.get(newId('rec'))).toBeUndefined()
    })

    it('adds each id once, whoever adds it at the same moment, and changes nothing that is there', async () => {
      await using world = await open()
      const machine = await addMachine(world.store)
      const row = recordingRow(machine)
      const others = Array.from({ length: 5 }, (_, index) => ({ ...row, blob: `other-${index}` }))
      const fresh = recordingRow(machine)
      await world.store.recordings.add([row])
      await Promise.all(others.map((other) => world.store.recordings.add([other, fresh])))
      expect(await world.store.recordings.get(row.id)).toEqual(row)
      expect(await world.store.recordings.list(machine.fleetId, { limit: 9 })).toHaveLength(2)
    })

    it('adds more at once than a statement has parameters, all or none', async () => {
      await using world = await open()
      const machine = await addMachine(world.store)
      const many = Array.from({ length: 4000 }, () => recordingRow(machine))
      await world.store.recordings.add(many)
      expect(await world.store.recordings.list(machine.fleetId, { limit: 9999 })).toHaveLength(4000)
      const strangers = [recordingRow(machine), recordingRow({ ...machine, id: newId('machine') })]
      await expect(world.store.recordings.add(strangers)).rejects.toMatchObject({ code: 'not_found' })
      expect(await world.store.recordings.list(machine.fleetId, { limit: 9999 })).toHaveLength(4000)
    })

    it('ends a recording once', async () => {
      await using world = await open()
      const row = recordingRow(await addMachine(world.store))
      await world.store.recordings.add([row])
      const end = { state: 'complete' as const, manifest: manifestOf(row), bytes: 5_000_000_000 }
      const ended = await Promise.all([
        world.store.recordings.finish(row.id, end),
        world.store.recordings.finish(row.id, end),
      ])
      expect(ended.filter(Boolean)).toEqual([true])
      expect(await world.store.recordings.finish(row.id, { ...end, state: 'damaged' })).toBe(false)
      expect(await world.store.recordings.finish(newId('rec'), end)).toBe(false)
      expect(await world.store.recordings.get(row.id)).toEqual({ ...row, ...end })
    })

    it('lists those of one fleet, the newest first, then by id, and continues after a cursor', async () => {
      await using world = await open()
      const machine = await addMachine(world.store)
      const stranger = await addMachine(world.store)
      const rows = [3, 1, 2, 2, 2].map((second) => recordingRow(machine, { startedAt: at(second) }))
      await world.store.recordings.add([...rows, recordingRow(stranger, { startedAt: at(9) })])
      const found: number[] = []
      for (let after: RecordingRow | undefined, more = true; more;) {
        const page = await world.store.recordings.list(machine.fleetId, {
          limit: 2,
          ...(after === undefined ? {} : { after }),
        })
        found.push(...page.map(({ id }) => rows.findIndex((row) => row.id === id)))
        after = page.at(-1)
        more = page.length === 2
      }
      expect(found).toEqual([0, 2, 3, 4, 1])
    })

    it('lists those of one machine, of one session or call, or of one kind', async () => {
      await using world = await open()
      const { owner } = await addFleet(world.store)
      const [machine, other] = (await addMachines(world.store, owner, [{}, {}])) as [MachineRow, MachineRow]
      const rows = [
        recordingRow(machine, { kind: 'session', subjectId: 'a' }),
        recordingRow(machine, { kind: 'exec', subjectId: 'b' }),
        recordingRow(other, { kind: 'exec', subjectId: 'a' }),
      ]
      await world.store.recordings.add(rows)
      const list = async (page: Partial<Parameters<Store['recordings']['list']>[1]>) => {
        const listed = await world.store.recordings.list(machine.fleetId, { limit: 9, ...page })
        return listed.map(({ id }) => rows.findIndex((row) => row.id === id))
      }
      expect(await list({ kind: 'session' })).toEqual([0])
      expect(await list({ subjectId: 'b' })).toEqual([1])
      expect(await list({ subjectId: 'a', machineId: machine.id })).toEqual([0])
      expect(await list({ machineId: newId('machine') })).toEqual([])
    })
  })
}
