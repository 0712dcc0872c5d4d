import { readdir } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { addFleet, addMachines, at, keyRow } from '../conformance/world.ts'
import { openSqliteStore } from '../sqlite-store.ts'
import { openTemporaryStore } from './temporary-store.ts'

describe('a lookup', () => {
  it('sees what another store on the file has committed', async () => {
    await using world = await openTemporaryStore()
    await using second = await openSqliteStore({ file: world.file })
    const { fleet, owner } = await addFleet(second)
    const key = keyRow(owner, { role: 'admin' })
    await second.keys.create(key)
    for (const store of [world.store, second]) {
      expect(await store.keys.get(key.id)).toEqual(key)
      expect(await store.principals.ofKey(key.id)).toEqual(owner)
    }
    await second.keys.revoke(fleet.id, key.id, at(1))
    expect((await world.store.keys.get(key.id))?.revokedAt).toBe(at(1))
  })

  it('reads pages as another store on the file has committed them', async () => {
    await using world = await openTemporaryStore()
    await using second = await openSqliteStore({ file: world.file })
    const { fleet, owner } = await addFleet(second)
    const [a, b] = await addMachines(second, owner, [{ name: 'a' }, { name: 'b' }])
    expect(await world.store.machines.list(fleet.id, { limit: 1 })).toMatchObject([{ name: 'a' }])
    await second.machines.rename(a?.id ?? '', 'c')
    const [first, last] = await world.store.machines.list(fleet.id, { limit: 9 })
    expect(b).toMatchObject(first ?? { name: 'nothing was read' })
    expect(last).toMatchObject({ id: a?.id, name: 'c', publicKey: a?.publicKey, disabledAt: null })
  })

  it('does not wait for somebody who is writing, and sees nothing of it before it is committed', async () => {
    await using world = await openTemporaryStore()
    const { owner } = await addFleet(world.store)
    const key = keyRow(owner)
    await world.store.keys.create(key)
    using writer = new DatabaseSync(world.file)
    writer.exec('begin immediate')
    writer.exec(`update api_keys set revoked_at = '${at(1)}'`)
    expect(await world.store.keys.get(key.id)).toEqual(key)
    writer.exec('commit')
    expect((await world.store.keys.get(key.id))?.revokedAt).toBe(at(1))
  })

  it('is `unavailable` once the store is closed, and leaves no log behind', async () => {
    await using world = await openTemporaryStore()
    const { owner } = await addFleet(world.store)
    const key = keyRow(owner)
    await world.store.keys.create(key)
    expect(await world.store.keys.get(key.id)).toEqual(key)
    await world.store.close()
    await expect(world.store.keys.get(key.id)).rejects.toMatchObject({ code: 'unavailable' })
    expect((await readdir(dirname(world.file))).sort()).toEqual([basename(world.file), `${basename(world.file)}.key`])
  })
})
