import { type KeyScope, isCmdopError } from '@cmdop/protocol'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { addFleet, newId } from '../store/conformance/world.ts'
import { openTemporaryStore } from '../store/sqlite/temporary-store.ts'
import { roles, type Role, type Store } from '../store/store.ts'
import { authenticate, type Caller } from './authenticate.ts'
import { actions, authorise } from './authorise.ts'
import { issueKey, revokeKey, rotateKey } from './keys.ts'
import { newSecret } from './secrets.ts'

// The reference: who may do what, said a second time, and as shortly as it can be.

interface Person {
  readonly fleet: number
  readonly id: string
  role: Role
  isRemoved: boolean
}
interface Key {
  readonly person: Person
  readonly kind: 'human' | 'ai' | 'service'
  readonly role: Role
  readonly parent: Key | undefined
  readonly isSession: boolean
  scopes: readonly KeyScope[] | undefined
  /** Who else may have it. */
  lender: Person | undefined
  raw: string
  isRevoked: boolean
}
/** A key as it is asked for. */
interface Wanted {
  readonly kind: Key['kind']
  readonly role: Role
  readonly scopes: readonly KeyScope[] | undefined
  readonly member: Person | undefined
}

const ofAdmins =
  /^(machine\.(enroll|manage)|key\.(list|issue|revoke)|member\.manage|fleet\.(configure|create)|policy\.write|grant\.revoke|audit\.read)$/
const ofViewers = /^(machine\.(list|facts)|session\.observe|(policy|approval|skill)\.read|metrics\.read|key\.own)$/
const neverOfServices = /^(key\.own|approval\.decide|member\.manage|fleet\.(configure|create|disable))$/
const neverOfAi =
  /^(key\.own|effect\.apply|approval\.decide|grant\.revoke|policy\.write|schedule\.(write|run)|tunnel\.(open|connect)|member\.manage|fleet\.(configure|create|disable)|skill\.(install|publish|review))$/

const isTooDeep = (key: Key, depth = 0): boolean =>
  depth > 8 || (key.parent !== undefined && isTooDeep(key.parent, depth + 1))

const isAlive = (key: Key): boolean =>
  !isTooDeep(key) && !key.isRevoked && !key.person.isRemoved && (key.parent === undefined || isAlive(key.parent))

const rankOf = (key: Key): number =>
  Math.max(...[key.role, key.person.role].map((role) => roles.indexOf(role)), key.parent ? rankOf(key.parent) : 0)

const isInScope = ({ scopes, parent }: Key, action: string, machine: string): boolean =>
  (scopes === undefined ||
    scopes.some(
      ({ actions: named, machines }) =>
        (action === 'machine.list' || named.includes(action) || named.includes(`${action.split('.')[0]}.*`)) &&
        (machines === '*' ||
          machines.names?.includes(machine) === true ||
          machines.names?.includes('web-*') === (machine !== 'db')),
    )) &&
  (parent === undefined || isInScope(parent, action, machine))

const isOfLesserRole = (rank: number, action: string): boolean =>
  rank <= 1 || (rank === 2 ? !ofAdmins.test(action) : ofViewers.test(action))

function expected(key: Key, action: string, at: { fleet: number; machine: string }): string {
  if (!isAlive(key)) return 'auth'
  if (at.fleet !== key.person.fleet) return 'not_found'
  const rank = rankOf(key)
  const isOfRole = rank === 0 || (action !== 'fleet.disable' && isOfLesserRole(rank, action))
  const isOfKind = key.kind === 'human' || !(key.kind === 'ai' ? neverOfAi : neverOfServices).test(action)
  return isOfRole && isOfKind && isInScope(key, action, at.machine) ? 'ok' : 'permission'
}

const scopesBehind = (key: Key): (readonly KeyScope[])[] => [
  ...(key.scopes === undefined ? [] : [key.scopes]),
  ...(key.parent === undefined ? [] : scopesBehind(key.parent)),
]

/** Of the sets of scopes in the play none is part of another. */
const isWithin = (scopes: readonly KeyScope[] | undefined, by: Key): boolean =>
  scopes === undefined || scopesBehind(by).every((outer) => outer === scopes)

const manages = (by: Key): boolean => by.kind === 'human' && rankOf(by) <= 1 && scopesBehind(by).length === 0

function expectedOfIssue(by: Key, { kind, role, scopes = by.scopes, member }: Wanted): string {
  if (!isAlive(by)) return 'auth'
  const isOfKind = by.kind === 'human' || kind === 'ai' || (by.kind === 'service' && kind === 'service')
  if (roles.indexOf(role) < rankOf(by) || !isOfKind || !isWithin(scopes, by)) return 'permission'
  if (member === undefined) return 'ok'
  if (member.isRemoved || member.fleet !== by.person.fleet) return 'not_found'
  const mayFor = member === by.person || (manages(by) && roles.indexOf(member.role) >= rankOf(by))
  return mayFor ? 'ok' : 'permission'
}

/** What is the same for everything that is done to a key. */
function expectedOfAny(by: Key, key: Key): string {
  if (!isAlive(by) || isTooDeep(key)) return 'auth'
  if (by.person.fleet !== key.person.fleet) return 'not_found'
  return rankOf(key) < rankOf(by) ? 'permission' : 'ok'
}

function mayHave(by: Key, key: Key): boolean {
  if (by === key) return true
  if (by.kind !== 'human') return key.parent === by
  return by.person === key.person || (key.kind === 'human' && manages(by))
}

function expectedOfRotate(by: Key, key: Key): string {
  const any = expectedOfAny(by, key)
  if (any !== 'ok') return any
  if (!mayHave(by, key)) return 'permission'
  if (key.isSession) return 'conflict'
  if (!isWithin(key.scopes ?? by.scopes, by)) return 'permission'
  return key.isRevoked ? 'conflict' : 'ok'
}

const isOwnerKey = (key: Key): boolean =>
  isAlive(key) && key.kind === 'human' && !key.isSession && key.scopes === undefined && rankOf(key) === 0

function expectedOfRevoke(by: Key, key: Key, all: readonly Key[]): string {
  const any = expectedOfAny(by, key)
  const owners = all.filter((one) => one.person.fleet === key.person.fleet && isOwnerKey(one))
  return any === 'ok' && owners.length === 1 && owners[0] === key ? 'conflict' : any
}

/** Who has a key that `by` makes for somebody. */
const lenderOf = (by: Key, person: Person): Person | undefined => (by.person === person ? by.lender : by.person)

// The play: the same is done to the model and to a real store.

const machines = ['web-1', 'web-2', 'db']
const scopeSets: readonly (readonly KeyScope[] | undefined)[] = [
  undefined,
  undefined,
  [{ actions: ['machine.exec', 'file.*'], machines: { names: ['web-*'] } }],
  [{ actions: ['key.*', 'machine.exec'], machines: '*' }],
  [
    { actions: ['file.read'], machines: { names: ['db'] } },
    { actions: ['session.*'], machines: '*' },
  ],
]
const step = fc.record({
  what: fc.oneof(
    { weight: 60, arbitrary: fc.constant('decide' as const) },
    { weight: 12, arbitrary: fc.constant('issue' as const) },
    { weight: 6, arbitrary: fc.constantFrom('join' as const, 'change' as const, 'rotate' as const) },
    { weight: 4, arbitrary: fc.constant('revoke' as const) },
    { weight: 1, arbitrary: fc.constant('remove' as const) },
  ),
  key: fc.nat(),
  other: fc.nat(),
  action: fc.constantFrom(...actions),
  role: fc.constantFrom(...roles),
  kind: fc.constantFrom('human' as const, 'ai' as const, 'service' as const),
  scopes: fc.constantFrom(...scopeSets),
  machine: fc.constantFrom(...machines),
  isOwn: fc.boolean(),
  isForeign: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
})
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

const STEPS = 500
const PLAYS = 20

test(`every decision in ${STEPS * PLAYS} steps is that of the reference`, async () => {
  await using world = await openTemporaryStore()
  const seen = new Set<string>()
  const property = fc.asyncProperty(fc.array(step, { minLength: STEPS, maxLength: STEPS }), async (steps) => {
    const play = await Play.start(world.store, seen)
    for (const given of steps) await play.step(given)
    expect(play.allowed).toBeGreaterThan(0)
  })
  await fc.assert(property, { numRuns: PLAYS, endOnFailure: true })
  // Each way to be refused was there.
  const codes = { issue: ['not_found'], rotate: ['conflict', 'not_found'], revoke: ['conflict', 'not_found'] }
  for (const [what, others] of Object.entries(codes))
    for (const code of ['ok', 'auth', 'permission', ...others]) expect(seen).toContain(`${what} ${code}`)
}, 240_000)

class Play {
  readonly #store: Store
  readonly #fleets: readonly string[]
  readonly #people: Person[] = []
  readonly #keys: Key[] = []
  readonly #seen: Set<string>
  allowed = 0

  private constructor(store: Store, fleets: readonly string[], seen: Set<string>) {
    this.#store = store
    this.#seen = seen
    this.#fleets = fleets
  }

  static async start(store: Store, seen: Set<string>): Promise<Play> {
    const fleets = [await addFleet(store), await addFleet(store)]
    const play = new Play(
      store,
      fleets.map(({ fleet }) => fleet.id),
      seen,
    )
    for (const [fleet, { owner }] of fleets.entries())
      await play.#enter({ fleet, id: owner.id, role: 'owner', isRemoved: false })
    return play
  }

  async step(given: Step): Promise<void> {
    if (given.what === 'decide') await this.#decide(given)
    else if (given.what === 'join') await this.#join(given)
    else if (given.what === 'issue') await this.#issue(given)
    else if (given.what === 'rotate') await this.#rotate(given)
    else if (given.what === 'revoke') await this.#revoke(given)
    else await this.#changePerson(given)
  }

  async #decide({ key: number, action, machine, isForeign }: Step): Promise<void> {
    const key = this.#pick(this.#keys, number)
    const fleet = isForeign ? 1 - key.person.fleet : key.person.fleet
    const decided = await codeOf(async () => {
      const caller = await authenticate(this.#store, key.raw)
      const target = { fleetId: this.#fleets[fleet] ?? '', machine: { id: `id-of-${machine}`, name: machine } }
      const decision = authorise(caller, action, target)
      return decision.allowed ? 'ok' : decision.code
    })
    const what = `${key.kind} ${roles[rankOf(key)]} ${action} ${machine} ${JSON.stringify(key.scopes)}`
    expect(`${what}: ${decided}`).toBe(`${what}: ${expected(key, action, { fleet, machine })}`)
    if (decided === 'ok') this.allowed += 1
  }

  /** Somebody with a key of no limits, who is signed in too. */
  async #enter(person: Person): Promise<void> {
    this.#people.push(person)
    for (const credential of ['key', 'session'] as const) {
      const secret = newSecret(credential === 'key' ? 'human' : 'session')
      const { id, hash: secretHash, prefix, raw } = secret
      const fleetId = this.#fleets[person.fleet] ?? ''
      const blank = { expiresAt: null, lastUsedAt: null, revokedAt: null }
      const row = { id, fleetId, principalId: person.id, name: 'first', secretHash, prefix, ...blank, credential }
      await this.#store.keys.create({ ...row, createdAt: new Date().toISOString() })
      const own = { person, kind: 'human', role: 'owner', raw, isRevoked: false, isSession: credential === 'session' }
      this.#keys.push({ ...own, scopes: undefined, parent: undefined, lender: undefined } as Key)
    }
  }

  async #join({ key, role }: Step): Promise<void> {
    const fleet = key % 2
    const person = { fleet, id: newId('prn'), role, isRemoved: false }
    const row = { id: person.id, fleetId: this.#fleets[fleet] ?? '', kind: 'human' as const, name: 'Eve', role }
    await this.#store.principals.create({ ...row, actsForId: null, createdAt: new Date().toISOString() })
    await this.#enter(person)
  }

  async #issue({ key: number, other, kind, role, scopes, isOwn }: Step): Promise<void> {
    const by = this.#pick(this.#keys, number)
    const member = kind === 'human' && !isOwn ? this.#pick(this.#people, other) : undefined
    const limits = scopes === undefined ? {} : { scopes: scopes.map((scope) => ({ ...scope })) }
    const raw = await this.#expect('issue', expectedOfIssue(by, { kind, role, scopes, member }), by, async (caller) => {
      const issue = { name: 'key', kind, role, ...limits, ...(member === undefined ? {} : { member: member.id }) }
      return (await issueKey(this.#store, caller, issue)).raw_token
    })
    if (raw === undefined) return
    const person = member ?? by.person
    const parent = by.kind === 'human' ? undefined : by
    const own = { person, kind, role, raw, parent, isRevoked: false, isSession: false }
    this.#keys.push({ ...own, scopes: scopes ?? by.scopes, lender: lenderOf(by, person) })
  }

  async #rotate(given: Step): Promise<void> {
    const { by, key } = this.#pair(given)
    const [before, code] = [key.raw, expectedOfRotate(by, key)]
    const raw = await this.#expect('rotate', code, by, async (caller) => {
      const rotated = await rotateKey(this.#store, caller, { keyId: idOf(key), overlapSeconds: 0 })
      return rotated.raw_token
    })
    if (raw === undefined) return
    const lender = (by.person === key.person ? key.lender : undefined) ?? lenderOf(by, key.person)
    Object.assign(key, { raw, lender, scopes: key.scopes ?? by.scopes })
    expect(await codeOf(async () => (await authenticate(this.#store, before)).role)).toBe('auth')
  }

  async #revoke(given: Step): Promise<void> {
    const { by, key } = this.#pair(given)
    const done = await this.#expect('revoke', expectedOfRevoke(by, key, this.#keys), by, async (caller) => {
      await revokeKey(this.#store, caller, idOf(key))
      return 'cmdop_'
    })
    if (done !== undefined) key.isRevoked = true
  }

  /** A key that does something to another one: of the same person half of the time. */
  #pair({ key, other, isOwn }: Step): { by: Key; key: Key } {
    const by = this.#pick(this.#keys, key)
    const near = this.#keys.filter(({ person }) => person === by.person)
    return { by, key: this.#pick(isOwn ? near : this.#keys, other) }
  }

  /** Does it, and compares what comes of it. What it gives; undefined where it is refused, as it should be. */
  async #expect(
    what: 'issue' | 'rotate' | 'revoke',
    expectedCode: string,
    by: Key,
    act: (caller: Caller) => Promise<string>,
  ): Promise<string | undefined> {
    const given = await codeOf(async () => act(await authenticate(this.#store, by.raw)))
    const code = given.startsWith('cmdop_') ? 'ok' : given
    const who = `${what} by ${by.kind} ${roles[rankOf(by)]}`
    expect(`${who}: ${code}`).toBe(`${who}: ${expectedCode}`)
    this.#seen.add(`${what} ${code}`)
    return code === 'ok' ? given : undefined
  }

  async #changePerson({ what, other, role }: Step): Promise<void> {
    const person = this.#pick(this.#people, other)
    const row = { id: person.id, fleetId: this.#fleets[person.fleet] ?? '' }
    const code = await codeOf(async () => {
      if (what === 'remove') await this.#store.principals.removeMember(row, new Date().toISOString())
      else await this.#store.principals.changeMember(row, { role })
      return 'ok'
    })
    if (person.isRemoved) return
    const owners = this.#people.filter((one) => one.fleet === person.fleet && !one.isRemoved && one.role === 'owner')
    const isLastOwner = owners.length === 1 && owners[0] === person && (what === 'remove' || role !== 'owner')
    expect(code).toBe(isLastOwner ? 'conflict' : 'ok')
    if (isLastOwner) return
    const isLowered = what !== 'remove' && roles.indexOf(role) > roles.indexOf(person.role)
    if (what === 'remove') person.isRemoved = true
    else person.role = role
    for (const key of this.#keys) {
      const isLost = person.isRemoved && key.kind === 'human' && key.person === person
      if (isLost || ((person.isRemoved || isLowered) && key.lender === person)) key.isRevoked = true
    }
  }

  #pick<Value>(from: readonly Value[], number: number): Value {
    return from[number % from.length] as Value
  }
}

function idOf({ raw }: Key): string {
  return raw.split('_')[2] ?? ''
}

async function codeOf(work: () => Promise<string>): Promise<string> {
  try {
    return await work()
  } catch (error) {
    if (isCmdopError(error)) return error.code
    throw error
  }
}
