import { type KeyScope, isCmdopError } from '@cmdop/protocol'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { addFleet, newId } from '../store/conformance/world.ts'
import { openTemporaryStore } from '../store/sqlite/temporary-store.ts'
import { roles, type Role, type Store } from '../store/store.ts'
import { authenticate } from './authenticate.ts'
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
  readonly scopes: readonly KeyScope[] | undefined
  readonly parent: Key | undefined
  raw: string
  isRevoked: boolean
}

const ofAdmins =
  /^(machine\.(enroll|manage)|key\.(list|issue|revoke)|member\.manage|fleet\.configure|policy\.write|grant\.revoke|audit\.read)$/
const ofViewers = /^(machine\.(list|facts)|session\.observe|(policy|approval)\.read|metrics\.read|key\.own)$/
const neverOfServices = /^(key\.own|approval\.decide|member\.manage|fleet\.configure)$/
const neverOfAi =
  /^(key\.own|effect\.apply|approval\.decide|grant\.revoke|policy\.write|member\.manage|fleet\.configure)$/

const isAlive = (key: Key): boolean =>
  !key.isRevoked && !key.person.isRemoved && (key.parent === undefined || isAlive(key.parent))

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

function expected(key: Key, action: string, at: { fleet: number; machine: string }): string {
  if (!isAlive(key)) return 'auth'
  if (at.fleet !== key.person.fleet) return 'not_found'
  const rank = rankOf(key)
  const isOfRole = rank <= 1 || (rank === 2 ? !ofAdmins.test(action) : ofViewers.test(action))
  const isOfKind = key.kind === 'human' || !(key.kind === 'ai' ? neverOfAi : neverOfServices).test(action)
  return isOfRole && isOfKind && isInScope(key, action, at.machine) ? 'ok' : 'permission'
}

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
    { weight: 80, arbitrary: fc.constant('decide' as const) },
    { weight: 8, arbitrary: fc.constant('issue' as const) },
    { weight: 3, arbitrary: fc.constantFrom('join' as const, 'change' as const, 'rotate' as const) },
    { weight: 1, arbitrary: fc.constantFrom('remove' as const, 'revoke' as const) },
  ),
  key: fc.nat(),
  other: fc.nat(),
  action: fc.constantFrom(...actions),
  role: fc.constantFrom(...roles),
  kind: fc.constantFrom('human' as const, 'ai' as const, 'service' as const),
  scopes: fc.constantFrom(...scopeSets),
  machine: fc.constantFrom(...machines),
  isForeign: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
})
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

const STEPS = 500
const PLAYS = 20

test(`every decision in ${STEPS * PLAYS} steps is that of the reference`, async () => {
  await using world = await openTemporaryStore()
  const property = fc.asyncProperty(fc.array(step, { minLength: STEPS, maxLength: STEPS }), async (steps) => {
    const play = await Play.start(world.store)
    for (const given of steps) await play.step(given)
    expect(play.allowed).toBeGreaterThan(0)
  })
  await fc.assert(property, { numRuns: PLAYS, endOnFailure: true })
}, 240_000)

class Play {
  readonly #store: Store
  readonly #fleets: readonly string[]
  readonly #people: Person[] = []
  readonly #keys: Key[] = []
  allowed = 0

  private constructor(store: Store, fleets: readonly string[]) {
    this.#store = store
    this.#fleets = fleets
  }

  static async start(store: Store): Promise<Play> {
    const fleets = [await addFleet(store), await addFleet(store)]
    const play = new Play(
      store,
      fleets.map(({ fleet }) => fleet.id),
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

  /** Somebody with a key of no limits. */
  async #enter(person: Person): Promise<void> {
    const secret = newSecret('human')
    await this.#store.keys.create({
      id: secret.id,
      fleetId: this.#fleets[person.fleet] ?? '',
      principalId: person.id,
      name: 'first',
      secretHash: secret.hash,
      prefix: secret.prefix,
      createdAt: new Date().toISOString(),
      expiresAt: null,
      lastUsedAt: null,
      revokedAt: null,
    })
    this.#people.push(person)
    this.#keys.push({
      person,
      kind: 'human',
      role: 'owner',
      scopes: undefined,
      parent: undefined,
      raw: secret.raw,
      isRevoked: false,
    })
  }

  async #join({ key, role }: Step): Promise<void> {
    const fleet = key % 2
    const person = { fleet, id: newId('prn'), role, isRemoved: false }
    const row = { id: person.id, fleetId: this.#fleets[fleet] ?? '', kind: 'human' as const, name: 'Eve', role }
    await this.#store.principals.create({ ...row, actsForId: null, createdAt: new Date().toISOString() })
    await this.#enter(person)
  }

  async #issue({ key: number, kind, role, scopes }: Step): Promise<void> {
    const parent = this.#pick(this.#keys, number)
    const limits = scopes === undefined ? {} : { scopes: scopes.map((scope) => ({ ...scope })) }
    const issued = await codeOf(async () => {
      const caller = await authenticate(this.#store, parent.raw)
      return (await issueKey(this.#store, caller, { name: 'key', kind, role, ...limits })).raw_token
    })
    // What it may not give away is refused; that what it does give away is no more is seen when it is used.
    if (!issued.startsWith('cmdop_')) return
    const own = { person: parent.person, kind, role, raw: issued, isRevoked: false }
    const isOfOperator = parent.kind !== 'human'
    this.#keys.push({ ...own, scopes: scopes ?? parent.scopes, parent: isOfOperator ? parent : undefined })
    expect(isAlive(parent) && roles.indexOf(role) >= rankOf(parent)).toBe(true)
    expect(parent.kind !== 'ai' || kind === 'ai').toBe(true)
  }

  async #rotate({ key: number }: Step): Promise<void> {
    const key = this.#pick(this.#keys, number)
    const rotated = await codeOf(async () => {
      const caller = await authenticate(this.#store, key.raw)
      return (await rotateKey(this.#store, caller, { keyId: caller.key.id, overlapSeconds: 0 })).raw_token
    })
    expect(rotated.startsWith('cmdop_')).toBe(isAlive(key))
    if (!isAlive(key)) return
    expect(await codeOf(async () => (await authenticate(this.#store, key.raw)).role)).toBe('auth')
    key.raw = rotated
  }

  async #revoke({ key: number, other }: Step): Promise<void> {
    const [by, key] = [this.#pick(this.#keys, number), this.#pick(this.#keys, other)]
    const code = await codeOf(async () => {
      await revokeKey(this.#store, await authenticate(this.#store, by.raw), key.raw.split('_')[2] ?? '')
      return 'ok'
    })
    if (code === 'ok') key.isRevoked = true
    if (isAlive(by) && by.person.fleet !== key.person.fleet) expect(code).toBe('not_found')
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
    if (what === 'remove') person.isRemoved = true
    else person.role = role
  }

  #pick<Value>(from: readonly Value[], number: number): Value {
    return from[number % from.length] as Value
  }
}

async function codeOf(work: () => Promise<string>): Promise<string> {
  try {
    return await work()
  } catch (error) {
    if (isCmdopError(error)) return error.code
    throw error
  }
}
