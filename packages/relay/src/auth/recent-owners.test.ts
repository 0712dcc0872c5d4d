import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { addFleet, at, keyRow } from '../store/conformance/world.ts'
import { openTemporaryStore } from '../store/sqlite/temporary-store.ts'
import { RecentOwners } from './recent-owners.ts'

/** A key in a store; `lastUsedAt` just now, unless it says otherwise. */
async function withKey(lastUsedAt: string | null = new Date().toISOString()) {
  const world = await openTemporaryStore()
  const { fleet, owner } = await addFleet(world.store)
  const key = keyRow(owner, { lastUsedAt, role: 'admin' })
  await world.store.keys.create(key)
  const owners = new RecentOwners(world.store)
  return {
    owner,
    key,
    owners,
    store: world.store,
    revoke: async () => await world.store.keys.revoke(fleet.id, key.id, at(1)),
    revokedAt: async () => (await owners.of(key.id)).key?.revokedAt,
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  }
}

describe('the owner of a key', () => {
  test('is remembered, and read again when it is forgotten', async () => {
    await using world = await withKey()
    const { owners, key, owner } = world
    expect(await owners.of(key.id)).toEqual({ key, principal: owner, behind: [] })
    await world.revoke()
    expect(await world.revokedAt()).toBeNull()
    owners.forget()
    expect(await world.revokedAt()).toBe(at(1))
  })

  test('is read again within a second, whoever revoked the key', async () => {
    await using world = await withKey()
    expect(await world.revokedAt()).toBeNull()
    const until = performance.now() + 1000
    await world.revoke()
    while ((await world.revokedAt()) === null) await sleep(10)
    expect(performance.now()).toBeLessThan(until)
  })

  test('that is forgotten while it is read is not remembered after all', async () => {
    await using world = await withKey()
    const read = world.owners.of(world.key.id)
    world.owners.forget()
    await read
    await world.revoke()
    expect(await world.revokedAt()).toBe(at(1))
  })

  test('is not remembered before a use of the key is noted, nor when there is none', async () => {
    await using world = await withKey(null)
    const { owners, key, store, owner } = world
    await owners.of(key.id)
    await store.keys.touch(key.id, at(2))
    expect((await owners.of(key.id)).key?.lastUsedAt).toBe(at(2))
    const second = keyRow(owner)
    expect(await owners.of(second.id)).toEqual({ key: undefined, principal: undefined, behind: [] })
    await store.keys.create(second)
    expect((await owners.of(second.id)).key).toEqual(second)
  })
})
