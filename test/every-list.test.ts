import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client } from '@cmdop/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fleetRunOf } from './fleet-runs.ts'
import { invitePerson, type Person } from './people.ts'
import { startReceiver } from './receiver.ts'
import { NEVER, ranOnce } from './schedule-runs.ts'
import { permittedSubject, signedBy } from './signed-requests.ts'
import { scriptSkill } from './skill-worlds.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

type Options = Readonly<Record<string, unknown>>
type List = (...given: unknown[]) => AsyncGenerator

/** A list of the client, and how it is asked for pages of one item. */
interface Listed {
  /** What makes a page one item; absent where all are on one page. */
  readonly size?: Options
  /** What comes before the options: what it is a list of. */
  readonly of?: () => readonly string[]
  /** Whose it is; the owner's unless it is of somebody. */
  readonly client?: () => Client
  readonly more?: Options
  readonly idOf?: string
}

let world: World
let ann: Person
const made = { schedule: '', skill: 'first', webhook: '', folder: '' }

const cursor = { limit: 1 }
const offset = { perPage: 1 }
const numbered = { pageSize: 1 }
const ofSkill = () => [made.skill]

/** Every `iter...` of the client's namespaces and of what a machine holds; each has a `pages...` of the same name. */
const lists: Record<string, Listed> = {
  'machines.iter': { size: cursor },
  'fleets.iter': { size: offset },
  'fleets.machines.iter': { size: cursor },
  'members.iter': { size: offset, idOf: 'userId' },
  'members.iterInvitations': {},
  'keys.iter': { size: offset },
  'login.iterSessions': { client: () => ann.client },
  'schedules.iter': { size: offset },
  'schedules.iterRuns': { size: cursor, of: () => [made.schedule] },
  'recordings.iter': { size: cursor, idOf: 'recordingId' },
  'runs.iter': { size: cursor, idOf: 'runId' },
  'fleetRuns.iter': { size: cursor, idOf: 'runId' },
  'approvals.iter': { size: cursor },
  'approvals.grants.iter': {},
  // Only these: each request of the list would be another row.
  'audit.iter': { size: cursor, more: { action: 'tunnel.open' } },
  'webhooks.iter': {},
  'webhooks.iterDeliveries': { size: cursor, of: () => [made.webhook] },
  'skills.iter': { size: numbered },
  'skills.iterMy': { size: numbered },
  'skills.iterVersions': { size: numbered, of: ofSkill },
  'skills.iterReviews': { size: numbered, of: ofSkill },
  'skills.iterCategories': { size: numbered },
  'skills.iterTags': { size: numbered },
  'tunnels.iter': { size: offset, idOf: 'tunnelId' },
  'sessions.iter': { idOf: 'sessionId' },
  'skills.iterInstalled': { of: () => [world.machine.id], idOf: 'name' },
  'terminal.iter': { idOf: 'sessionId' },
  'machine.sessions.iter': { idOf: 'sessionId' },
  'machine.skills.iter': { idOf: 'name' },
  'machine.files.iter': { size: cursor, of: () => [made.folder], idOf: 'name' },
  'tunnels.iterSessions': { size: offset, idOf: 'machineId' },
}

/** What needs a machine that holds restrictions is read in `restrictions.system.test.ts`. */
const elsewhere = ['machine.effects.iter']

beforeAll(async () => {
  world = await startWorld({ machines: 2 })
  const { client, machine } = world
  const twice = [1, 2] as const
  await client.members.configure({ fourEyes: false })
  ann = await invitePerson(world, 'ann')
  const { code } = await client.members.code(ann.email)
  await client.login.signIn({ email: ann.email, code })
  await client.fleets.create({ name: 'Other', slug: 'other' })
  const schedules = []
  for (const number of twice) {
    await client.members.invite({ email: `guest-${number}@example.com` })
    await client.keys.issue({ name: `key-${number}` })
    schedules.push(await client.schedules.create({ name: `s-${number}`, cronExpr: NEVER, command: 'true' }))
    await client.tunnels.open({ machineId: machine.id, localPort: number, protocol: 'tcp' })
    await client.fleetRuns.create(fleetRunOf(randomUUID(), [machine.id]))
    const run = { machineId: machine.id, agentType: 'terminal', model: 'a:b', title: 'Look' } as const
    await client.runs.create({ ...run, runId: randomUUID(), entry: { v: 1, type: 'run_started' } })
    const actions = [{ machineId: machine.id, method: 'exec' as const, params: { command: `echo ${number}` } }]
    const { id, planDigest } = await client.approvals.request({ title: 'Say it', actions })
    await client.approvals.approve(id, { planDigest, grantSeconds: 600 })
  }
  made.schedule = schedules[0]?.id ?? ''
  for (const _ of twice) await ranOnce(client, made.schedule)
  const store = await world.openStore()
  const send = await signedBy(world, machine)
  for (const _ of twice)
    await send({ method: 'POST', path: '/api/recordings', body: await permittedSubject(store, machine.id) })
  await using receiver = await startReceiver()
  await client.webhooks.create({ url: receiver.url })
  made.webhook = (await client.webhooks.create({ url: receiver.url })).id
  for (const _ of twice) await client.webhooks.test(made.webhook)
  for (const name of ['first', 'second']) {
    await client.skills.create(name)
    const files = scriptSkill(name, 'echo {}', `tags: [${name}]`)
    await client.skills.publish(name, { files })
    const next = files.map((file) => ({ ...file, content: file.content.replace('version: 1.0.0', 'version: 1.0.1') }))
    await client.skills.publish(name, { files: next })
  }
  for (const slug of ['first', 'second']) await client.skills.install(slug, { machine: machine.id, check: false })
  await client.terminal.setMachine(machine.id)
  made.folder = await world.folder()
  for (const number of twice) {
    await writeFile(join(made.folder, `file-${number}`), '')
    await client.terminal.create()
  }
  for (const each of [client, ann.client]) await each.skills.review(made.skill, 'Good.')
  // Of two runs on two machines, two terminals, and the two that were begun here: machines send theirs a little later.
  await waitFor('all recordings are there', async () => (await client.recordings.list()).items.length === 8)
}, 60_000)
afterAll(() => world[Symbol.asyncDispose]())

/** A method by its path from the client, or from a handle of `machine`. */
function methodOf(client: Client, path: string): List {
  const names = path.split('.')
  const name = names.pop() ?? ''
  const isOfMachine = names[0] === 'machine'
  const holder: object = isOfMachine ? world.handle : client
  const namespace = names.slice(isOfMachine ? 1 : 0).reduce((found, each) => Object(Reflect.get(found, each)), holder)
  const method: unknown = Reflect.get(namespace, name)
  if (typeof method !== 'function') throw new Error(`The client has no ${path}.`)
  return method.bind(namespace) as List
}

/** Paths of the methods that list, of the client and what it holds; what is there twice counts once. */
function listsOf(holder: object, path: string[] = [], seen = new Set<object>()): string[] {
  if (seen.has(holder)) return []
  seen.add(holder)
  const own = listMethods(holder)
  const held = Object.entries(holder).filter(([, value]) =>
    String(Object(value).constructor.name).endsWith('Namespace'),
  )
  return [
    ...own.map((name) => [...path, name].join('.')),
    ...held.flatMap(([name, value]) => listsOf(value as object, [...path, name], seen)),
  ]
}

/** The same of what a handle of a machine holds, without what it has of its client. */
function machineLists(): string[] {
  const ofClient = new Set(Object.values(world.client))
  const held = Object.entries(world.handle).filter(
    ([, value]) => typeof Object(value).list === 'function' && !ofClient.has(value),
  )
  return held.flatMap(([name, value]) =>
    listMethods(value as object)
      .concat(listMethods(Object.getPrototypeOf(value) as object))
      .map((method) => `machine.${name}.${method}`),
  )
}

function listMethods(holder: object): string[] {
  return Object.getOwnPropertyNames(Object.getPrototypeOf(holder)).filter((name) => /^(iter|pages)/.test(name))
}

const pagesOf = (iter: string) => iter.replace(/\biter(?=\w*$)/, 'pages')
const itemsIn = (page: unknown): unknown[] =>
  Object(page)['items'] ?? Object(page)['results'] ?? Object(page)['entries']

test('every list of the client is in the table, with `iter` and `pages`', () => {
  const expected = [...Object.keys(lists), ...elsewhere].flatMap((iter) => [iter, pagesOf(iter)])
  const found = listsOf(world.client).map((path) => path.replace(/^fleets\.members/, 'members'))
  const ofMachine = machineLists()
  expect([...found, ...ofMachine].toSorted()).toEqual(expected.toSorted())
})

describe.each(Object.entries(lists))(
  'client.%s',
  (iter, { size = {}, of = () => [], more = {}, idOf = 'id', ...given }) => {
    const isPaged = Object.keys(size).length > 0
    const client = () => given.client?.() ?? world.client
    const read = (path: string, options: Options = {}) =>
      methodOf(client(), path)(...of(), { ...size, ...more, ...options })
    const ids = (items: readonly unknown[]) => items.map((item) => String(Object(item)[idOf]))

    test('gives each item once over all pages, and ends', async () => {
      const whole = ids(await Array.fromAsync(methodOf(client(), iter)(...of(), more)))
      expect(whole.length).toBeGreaterThanOrEqual(2)
      expect(new Set(whole).size).toBe(whole.length)
      expect(ids(await Array.fromAsync(read(iter)))).toEqual(whole)
      const pages = (await Array.fromAsync(read(pagesOf(iter)))).map(itemsIn)
      expect(pages.map(({ length }) => length)).toEqual(isPaged ? whole.map(() => 1) : [whole.length])
      expect(ids(pages.flat())).toEqual(whole)
    })

    test('stops when the signal aborts between pages, and before it begins', async () => {
      for (const path of isPaged ? [iter, pagesOf(iter)] : [iter]) {
        const stop = new AbortController()
        const list = read(path, { signal: stop.signal })
        expect((await list.next()).done).toBe(false)
        stop.abort()
        await expect(list.next()).rejects.toMatchObject({ code: 'cancelled' })
        expect((await list.next()).done).toBe(true)
      }
      for (const path of [iter, pagesOf(iter)])
        await expect(read(path, { signal: AbortSignal.abort() }).next()).rejects.toMatchObject({ code: 'cancelled' })
    })

    test('stops also in the middle of a page', async () => {
      const stop = new AbortController()
      const list = methodOf(client(), iter)(...of(), { ...more, signal: stop.signal })
      await list.next()
      stop.abort()
      await expect(list.next()).rejects.toMatchObject({ code: 'cancelled' })
    })
  },
)
