import { readFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { addFleet, at, newId, principalRow } from '../conformance/world.ts'
import { openSqliteStore } from '../sqlite-store.ts'
import type { Store } from '../store.ts'
import { openTemporaryStore } from './temporary-store.ts'

const SECRET = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'
const URL = 'https://hooks.example/services/T0/B0/ofthepath'

async function addWebhook(store: Store, fleetId: string, createdById: string) {
  const row = {
    id: newId('webhook'),
    fleetId,
    url: URL,
    kind: 'generic' as const,
    secret: 'cmdop_webhook_one_secret',
    events: ['pending' as const],
    minDanger: 'low' as const,
    includeCommand: false,
    enabled: true,
    createdAt: at(0),
    createdById,
  }
  await store.notifications.createWebhook(row)
  return row
}

test('A secret in another row than its own is not read', async () => {
  await using world = await openTemporaryStore()
  const { store, file } = world
  const { fleet, owner } = await addFleet(store)
  const other = principalRow(fleet.id)
  await store.principals.create(other)
  await store.totp.propose(owner.id, SECRET)
  await store.totp.propose(other.id, SECRET)
  const [one, two] = [await addWebhook(store, fleet.id, owner.id), await addWebhook(store, fleet.id, owner.id)]
  expect((await store.totp.get(other.id))?.secret).toBe(SECRET)
  expect(await store.notifications.getWebhook(two.id)).toEqual(two)
  {
    using database = new DatabaseSync(file)
    const copy = 'set secret = (select secret from'
    database.prepare(`update totp ${copy} totp where principal_id = ?) where principal_id = ?`).run(owner.id, other.id)
    database.prepare(`update webhooks ${copy} webhooks where id = ?) where id = ?`).run(one.id, two.id)
  }
  expect((await store.totp.get(owner.id))?.secret).toBe(SECRET)
  await expect(store.totp.get(other.id)).rejects.toMatchObject({ code: 'integrity' })
  await expect(store.notifications.getWebhook(two.id)).rejects.toMatchObject({ code: 'integrity' })
})

test('Two stores on one file read each other’s secrets', async () => {
  await using world = await openTemporaryStore()
  await using second = await openSqliteStore({ file: world.file })
  const { fleet, owner } = await addFleet(world.store)
  await second.totp.propose(owner.id, SECRET)
  expect((await world.store.totp.get(owner.id))?.secret).toBe(SECRET)
  const webhook = await addWebhook(world.store, fleet.id, owner.id)
  expect(await second.notifications.webhooks(fleet.id)).toEqual([webhook])
})

test('Secrets from before are sealed when the database is opened, and are in its file no more', async () => {
  await using world = await openTemporaryStore()
  const { fleet, owner } = await addFleet(world.store)
  await world.store.totp.propose(owner.id, SECRET)
  const webhook = await addWebhook(world.store, fleet.id, owner.id)
  await world.store.close()
  {
    // As the version before has left it.
    using database = new DatabaseSync(world.file)
    database.prepare('update totp set secret = ?').run(SECRET)
    database.prepare('update webhooks set secret = ?, url = ?').run(webhook.secret, webhook.url)
    for (const column of ['attempts', 'lockouts', 'locked_until'])
      database.exec(`alter table totp drop column ${column}`)
    database.exec('drop table idempotency_keys')
    for (const table of ['schedule_results', 'schedule_runs', 'schedules']) database.exec(`drop table ${table}`)
    database.exec('drop index approvals_fleet_run')
    database.exec('drop index principals_person')
    for (const [table, column] of [
      ['fleet_runs', 'wait'],
      ['fleet_runs', 'continued_wave'],
      ['approvals', 'fleet_run_id'],
      ['approvals', 'fleet_run_generation'],
      ['approval_actions', 'alike'],
      ['fleets', 'disabled_at'],
      ['principals', 'person_id'],
      ['principals', 'confirmed_at'],
      ['principals', 'control_changed_at'],
      ['machines', 'home_fleet_id'],
      ['machines', 'key_version'],
      ['machines', 'created_by_id'],
      ['machines', 'key_registered_at'],
      ['machines', 'connected_at'],
      ['machines', 'connects'],
      ['machines', 'description'],
      ['machines', 'metrics'],
    ])
      database.exec(`alter table ${table} drop column ${column}`)
    for (const table of ['reviews', 'installs', 'stars', 'tags', 'digests', 'files', 'versions'])
      database.exec(`drop table skill_${table}`)
    database.exec('drop table skills')
    database.exec('drop table tunnels')
    database.exec(`delete from kysely_migration where name >= '0009-sealed-secrets'`)
  }
  expect(await readFile(world.file, 'latin1')).toContain(SECRET)
  const store = await world.reopen()
  expect((await store.totp.get(owner.id))?.secret).toBe(SECRET)
  expect(await store.notifications.webhooks(fleet.id)).toEqual([webhook])
  await store.close()
  const content = await readFile(world.file, 'latin1')
  for (const secret of [SECRET, webhook.secret, webhook.url]) expect(content).not.toContain(secret)
})
