import { describe, expect, it } from 'vitest'
import type { MachineRow } from '../store.ts'
import { addFleet, addMachines, at, newId, type OpenStore } from './world.ts'

/** Lists, references and presence of machines. */
export function describeMachines(open: OpenStore): void {
  const names = (machines: readonly Pick<MachineRow, 'name'>[]): string[] => machines.map((machine) => machine.name)

  describe('machines', () => {
    it('lists the machines of one fleet by name, without disabled ones, and continues after a cursor', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const { owner: stranger } = await addFleet(world.store)
      const changes = [{ name: 'c' }, { name: 'a' }, { name: 'off', disabledAt: at(1) }, { name: 'b' }, { name: 'B' }]
      await addMachines(world.store, owner, changes)
      await addMachines(world.store, stranger, [{ name: 'a' }])
      const first = await world.store.machines.list(fleet.id, { limit: 2 })
      expect(names(first)).toEqual(['B', 'a'])
      const after = { name: first[1]?.name ?? '', id: first[1]?.id ?? '' }
      expect(names(await world.store.machines.list(fleet.id, { limit: 9, after }))).toEqual(['b', 'c'])
    })

    it('names machines by their ids, of one fleet and without disabled ones', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const { owner: stranger } = await addFleet(world.store)
      const own = await addMachines(world.store, owner, [
        { name: 'a' },
        { name: 'off', disabledAt: at(1) },
        { name: 'b' },
      ])
      const [other] = await addMachines(world.store, stranger, [{ name: 'c' }])
      const ids = [...own.map(({ id }) => id), other?.id ?? '', 'nobody']
      const many = [...ids, ...Array.from({ length: 100 }, (_, index) => `nobody-${index}`)]
      for (const wanted of [ids, many]) {
        const known = await world.store.machines.namesOf(fleet.id, wanted)
        expect(Array.from(known.values()).sort()).toEqual(['a', 'b'])
      }
      expect(await world.store.machines.namesOf(fleet.id, [])).toEqual(new Map())
    })

    it('finds machines by part of their name or hostname, in any letter case, with no wildcards', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const changes = [
        { name: 'web-1', hostname: 'h1' },
        { name: 'db-1', hostname: 'Web.example' },
        { name: '50%_\\', hostname: 'h3' },
      ]
      await addMachines(world.store, owner, changes)
      const find = async (query: string) => names(await world.store.machines.list(fleet.id, { limit: 9, query }))
      expect(await find('WEB')).toEqual(['db-1', 'web-1'])
      expect(await find('%_\\')).toEqual(['50%_\\'])
      expect(await find('b_1')).toEqual([])
    })

    it('takes a reference as id, then hostname, then name, then the beginning of one', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const [target] = await addMachines(world.store, owner, [{ name: 'n1', hostname: 'h1' }])
      const id = target?.id ?? ''
      await addMachines(world.store, owner, [
        { name: 'n2', hostname: id },
        { name: 'h1', hostname: 'shared' },
        { name: 'n4', hostname: 'shared' },
        { name: 'shared', hostname: 'h5' },
        { name: 'sha', hostname: 'h6' },
      ])
      const resolve = async (reference: string) => names(await world.store.machines.resolve(fleet.id, reference))
      expect(await resolve(id)).toEqual(['n1'])
      expect(await resolve('h1')).toEqual(['n1'])
      expect(await resolve('shared')).toEqual(['h1', 'n4'])
      expect(await resolve('sha')).toEqual(['sha'])
      expect(await resolve('sh')).toEqual(['h1', 'n4', 'sha', 'shared'])
      expect(await resolve('s')).toEqual([])
      expect(await resolve('s%')).toEqual([])
      expect(await resolve('')).toEqual([])
    })

    it('takes no reference to a disabled machine or one of another fleet, and gives ten candidates at most', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const { owner: stranger } = await addFleet(world.store)
      await addMachines(world.store, owner, [{ name: 'gone', disabledAt: at(1) }])
      await addMachines(world.store, stranger, [{ name: 'theirs' }])
      const many = Array.from({ length: 12 }, (_, index) => ({ name: `many-${index}`, hostname: 'localhost' }))
      await addMachines(world.store, owner, many)
      const [named] = await addMachines(world.store, owner, [{ id: 'localhost', name: 'zz' }])
      expect(await world.store.machines.resolve(fleet.id, 'gone')).toEqual([])
      expect(await world.store.machines.resolve(fleet.id, 'theirs')).toEqual([])
      expect(await world.store.machines.resolve(fleet.id, 'many')).toHaveLength(10)
      expect(await world.store.machines.resolve(fleet.id, 'localhost')).toEqual([named])
    })

    it('keeps what a daemon says of itself', async () => {
      await using world = await open()
      const { owner } = await addFleet(world.store)
      const [machine] = await addMachines(world.store, owner, [{}])
      const change = {
        hostname: 'renamed',
        os: 'darwin',
        architecture: 'arm64',
        agentVersion: '0.2.0',
        reportedLabels: '{"role":"web"}',
      }
      await world.store.machines.update(machine?.id ?? '', change)
      expect(await world.store.machines.get(machine?.id ?? '')).toEqual({ ...machine, ...change })
    })

    it('changes labels only from what they were', async () => {
      await using world = await open()
      const { owner } = await addFleet(world.store)
      const [machine] = await addMachines(world.store, owner, [{}])
      const id = machine?.id ?? ''
      const change = (before: string, labels: string) => world.store.machines.label(id, before, labels)
      expect(await Promise.all([change('{}', '{"a":"1"}'), change('{}', '{"b":"2"}')])).toEqual([true, false])
      expect(await change('{"a":"1"}', '{"c":"3"}')).toBe(true)
      expect((await world.store.machines.get(id))?.labels).toBe('{"c":"3"}')
    })

    it('notes when machines were seen, more than a statement has parameters, and never moves a time back', async () => {
      await using world = await open()
      const { owner } = await addFleet(world.store)
      const machines = await addMachines(world.store, owner, [{}, { lastSeenAt: at(90) }, {}])
      const [first, second, third] = machines.map((machine) => machine.id)
      const unknown = Array.from({ length: 40_000 }, () => newId('machine'))
      await world.store.machines.seen([first ?? '', ...unknown, second ?? ''], at(50))
      await world.store.machines.seen([first ?? ''], at(40))
      await world.store.machines.seen([], at(60))
      const seen = [first, second, third].map(async (id) => (await world.store.machines.get(id ?? ''))?.lastSeenAt)
      expect(await Promise.all(seen)).toEqual([at(50), at(90), null])
    })
  })
}
