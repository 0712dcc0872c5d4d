import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { invitePerson, type Person } from './people.ts'
import { NEVER } from './schedule-runs.ts'
import { startWorld, type World } from './world.ts'

/** Who asks. Only the first two are a person with all that he may do. */
const callers = ['own key', 'session', 'scoped key', 'key of kind ai', 'key of kind service', 'lent key'] as const
type Caller = (typeof callers)[number]

/** Of which fleet. */
const places = ['own', 'member', 'no member', 'disabled'] as const
type Place = (typeof places)[number]

/** Bodies, by method and path. Nothing of them is done to the fleet that stays. */
const bodies: Record<string, unknown> = {
  'post /api/fleets/{fleet}/api-keys': { name: 'tried', role: 'viewer' },
  'post /api/fleets/{fleet}/api-keys/{key}/rotate': {},
  'post /api/fleets/{fleet}/members': { email: 'tried@example.com', role: 'viewer' },
  'patch /api/fleets/{fleet}/members/{user}': { display_name: 'Tried' },
  'post /api/fleets/{fleet}/invitations': { email: 'asked@example.com', role: 'viewer' },
  'patch /api/fleets/{fleet}/settings': { four_eyes: null },
  'patch /api/fleets/{fleet}': { name: 'Tried' },
  'post /api/fleets/{fleet}/machines': { machine_id: 'mch_none' },
  'post /api/fleets/{fleet}/schedules': { name: 'Tried', cron_expr: NEVER, command: 'true' },
  'patch /api/fleets/{fleet}/schedules/{schedule}': { name: 'Tried' },
}

const Document = z.looseObject({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })

let world: World
let ada: Person
const fleets: Record<Place, string> = { own: '', member: '', 'no member': '', disabled: '' }
const tokens: Record<Caller, string> = {
  'own key': '',
  session: '',
  'scoped key': '',
  'key of kind ai': '',
  'key of kind service': '',
  'lent key': '',
}
/** What is there in a fleet, so that what is not found is the fleet. */
const things = new Map<string, Record<string, string>>()
let ways: (readonly [method: string, path: string])[] = []

beforeAll(async () => {
  world = await startWorld({ machines: 0 })
  const { client } = world
  ada = await invitePerson(world, 'ada', 'admin')
  fleets.own = (await client.me()).fleetId
  for (const place of ['member', 'no member', 'disabled'] as const)
    fleets[place] = (await client.fleets.create({ name: place, slug: place.replace(' ', '-') })).id
  for (const place of ['member', 'disabled'] as const)
    await client.members.add({ email: ada.email, role: 'admin' }, { fleetId: fleets[place] })
  for (const place of places) things.set(place, await someThings(fleets[place]))
  await client.fleets.disable(fleets.disabled)
  const issue = async (key: Parameters<typeof client.keys.issue>[0], by = ada.client) =>
    (await by.keys.issue({ role: 'admin', ...key })).rawToken
  tokens.session = ada.token
  tokens['own key'] = await issue({ name: 'own', kind: 'human' })
  const scopes = [{ actions: ['*'], machines: '*' as const }]
  tokens['scoped key'] = await issue({ name: 'scoped', kind: 'human', scopes })
  tokens['key of kind ai'] = await issue({ name: 'ai', kind: 'ai' })
  tokens['key of kind service'] = await issue({ name: 'service', kind: 'service' })
  tokens['lent key'] = await issue({ name: 'lent', kind: 'human', member: ada.id }, client)
  const { paths } = Document.parse(await (await fetch(`${world.relay.url}/api/openapi.json`)).json())
  ways = Object.entries(paths)
    .filter(([path]) => path.startsWith('/api/fleets/{fleet}'))
    .flatMap(([path, operations]) => Object.keys(operations).map((method) => [method, path] as const))
    // What ends the fleet is looked at by itself.
    .filter(([method, path]) => !(method === 'delete' && path === '/api/fleets/{fleet}'))
})
afterAll(() => world[Symbol.asyncDispose]())

async function someThings(fleetId: string): Promise<Record<string, string>> {
  const { client } = world
  const { userId: user } = await client.members.add({ email: 'there@example.com', role: 'viewer' }, { fleetId })
  const { id: key } = await client.keys.issue({ name: 'there', role: 'viewer' }, { fleetId })
  const { id: invitation } = await client.members.invite({ email: 'soon@example.com' }, { fleetId })
  return { fleet: fleetId, user, key, invitation, machine: 'mch_none' }
}

/** By whoever it is asked, it is as if there were no such fleet; elsewhere the fleet answers, whatever it says. */
async function isHidden(caller: Caller, place: Place, [method, path]: readonly [string, string]): Promise<boolean> {
  const there = things.get(place) ?? {}
  const body = bodies[`${method} ${path}`]
  const answer = await fetch(
    `${world.relay.url}${path.replaceAll(/\{(\w+)\}/g, (_, name: string) => there[name] ?? '')}`,
    {
      method: method.toUpperCase(),
      headers: {
        authorization: `Bearer ${tokens[caller]}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    },
  )
  const text = await answer.text()
  expect(answer.status, `${caller} ${method} ${path} ${text}`).not.toBe(422)
  if (answer.status !== 404) return false
  return text.includes('nothing with this id in your fleet')
}

test.each(callers.flatMap((caller) => places.map((place) => [caller, place] as const)))(
  'every route that names a fleet, by a %s, of a fleet that is %s: it is there for a person who is a member, and for nobody else',
  async (caller, place) => {
    const isPerson = caller === 'own key' || caller === 'session'
    const isSeen = place === 'own' || (isPerson && place === 'member')
    expect(ways.length).toBeGreaterThan(15)
    // What is removed comes last.
    for (const way of ways.toSorted(([left], [right]) => Number(left === 'delete') - Number(right === 'delete')))
      expect(`${way.join(' ')} ${(await isHidden(caller, place, way)) ? 'hidden' : 'seen'}`).toBe(
        `${way.join(' ')} ${isSeen ? 'seen' : 'hidden'}`,
      )
  },
)

test.each(callers)('a %s lists no fleet in which it may not act', async (caller) => {
  const client = world.connect({ token: tokens[caller] })
  const isPerson = caller === 'own key' || caller === 'session'
  const seen = (await Array.fromAsync(client.fleets.iter({ perPage: 1 }))).map(({ id }) => id)
  expect(seen).toEqual(isPerson ? [fleets.own, fleets.member] : [fleets.own])
})
