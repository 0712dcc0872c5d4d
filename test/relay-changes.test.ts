import { hash, randomUUID } from 'node:crypto'
import type { Client, AuditLog } from '@cmdop/core'
import { auditBody, NO_AUDIT_HASH } from '@cmdop/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { codeOf } from './code-of.ts'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { invitePerson, type Person } from './people.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

/** What takes a right away, and what is said then. */
const changes: Record<string, { take: (person: Person, keyId: string) => Promise<unknown>; code: string }> = {
  'a revoked key': { take: (_person, keyId) => world.client.keys.revoke(keyId), code: 'auth' },
  'a removed member': { take: ({ email }) => world.client.members.remove(email), code: 'auth' },
  'a lowered role': { take: ({ id }) => world.client.members.setRole(id, 'viewer'), code: 'permission' },
}

describe.each(Object.entries(changes))('%s', (name, { take, code }) => {
  test('loses a command, a session and the journal of a run within a second', async () => {
    const person = await invitePerson(world, `p-${randomUUID()}`, 'admin')
    const { id, rawToken: token } = await person.client.keys.issue({ name: 'own', kind: 'human', role: 'admin' })
    await losesWithinASecond(world.connect({ token }), { take: () => take(person, id), code })
  })

  test('takes it from an operator that acts for the person too', async () => {
    const person = await invitePerson(world, `p-${randomUUID()}`, 'admin')
    const { id, rawToken: token } = await person.client.keys.issue({ name: 'robot', kind: 'ai', role: 'admin' })
    const operator = world.connect({ token })
    const { rawToken: helper } = await operator.keys.issue({ name: 'helper', kind: 'ai', role: 'member' })
    await losesWithinASecond(world.connect({ token: helper }), { take: () => take(person, id), code })
    expect(await codeOf(() => operator.machines.messages(world.machine.id))).toBe(code)
    expect(name).toBeTypeOf('string')
  })
})

describe.each(Object.entries(changes))('%s', (_name, { take, code }) => {
  test('loses the events and an export of the audit log within a second, and so does who came from it', async () => {
    await addManyRows()
    const person = await invitePerson(world, `p-${randomUUID()}`, 'admin')
    const { id, rawToken: token } = await person.client.keys.issue({ name: 'reader', kind: 'ai', role: 'admin' })
    const operator = world.connect({ token })
    const { rawToken: below } = await operator.keys.issue({ name: 'below', kind: 'ai', role: 'admin' })
    const readers = await Promise.all(
      [token, below].flatMap((each) =>
        ['/api/audit/events', '/api/audit/export'].map((path) => beginReading(each, path)),
      ),
    )
    await take(person, id)
    const takenAt = performance.now()
    await Promise.all(readers.map((whenOver) => whenOver()))
    expect(performance.now() - takenAt).toBeLessThan(1000)
    for (const each of [token, below])
      expect(await codeOf(() => world.connect({ token: each }).audit.getLogs())).toBe(code)
  })
})

test('a reader of the audit log whom nothing has happened to reads to the end', async () => {
  await addManyRows()
  const person = await invitePerson(world, 'patient', 'admin')
  const other = await invitePerson(world, 'other', 'admin')
  const events = await beginReading(person.token, '/api/audit/events')
  let text = ''
  for await (const piece of person.client.audit.export()) {
    if (text === '') await world.client.members.setRole(other.id, 'viewer')
    text = Buffer.from(piece).toString()
  }
  expect(text).toContain('"end"')
  await world.client.members.remove(person.id)
  await events()
})

test('a session that is ended loses what runs within a second', async () => {
  const person = await invitePerson(world, 'signed-in', 'member')
  const { client, sessionId } = person
  const other = await world.client.members.code(person.email)
  const second = await world.client.login.signIn({ email: person.email, code: other.code })
  const elsewhere = world.connect({ token: second.token })
  expect((await elsewhere.login.sessions()).items.map(({ id }) => id).sort()).toEqual(
    [sessionId, second.sessionId].sort(),
  )
  await losesWithinASecond(client, { take: () => elsewhere.login.revoke(sessionId), code: 'auth' })
  expect(await codeOf(() => elsewhere.me())).toBe('ok')
})

test('a role that is lowered and may still do it leaves what runs alone, and a raised one may at once', async () => {
  const mark = newMark()
  const person = await invitePerson(world, 'steady', 'admin')
  const handle = await person.client.machine(world.machine.id)
  const running = handle.exec('read line; echo done', { stdin: waitingInput(), env: { MARK: mark } })
  await whenRunning(mark)
  await world.client.members.setRole(person.id, 'member')
  await waitFor('the role is lower', async () => (await person.client.me()).role === 'member')
  expect(await codeOf(() => person.client.keys.list())).toBe('permission')
  await world.client.members.setRole(person.id, 'owner')
  expect((await handle.exec('echo more')).stdout).toBe('more\n')
  expect(await codeOf(() => person.client.keys.list())).toBe('ok')
  release()
  expect(await running).toMatchObject({ stdout: 'done\n' })
})

let release = () => {}
async function* waitingInput() {
  await new Promise<void>((resolve) => {
    release = resolve
  })
  yield Buffer.from('line\n')
}

test('the last owner is neither removed nor lowered, and a member who is no owner does not touch one', async () => {
  const { principalId: owner } = await world.client.me()
  expect((await world.client.members.list()).items.filter(({ role }) => role === 'owner')).not.toEqual([])
  const admin = await invitePerson(world, 'just-admin', 'admin')
  for (const act of [
    () => admin.client.members.remove(owner),
    () => admin.client.members.setRole(owner, 'viewer'),
    () => admin.client.members.setRole(admin.id, 'owner'),
    () => admin.client.members.code(owner),
    () => admin.client.members.resetTotp(owner),
    () => admin.client.members.invite({ email: 'x@example.com', role: 'owner' }),
  ])
    expect(await codeOf(act)).toBe('permission')
  await using alone = await startWorld({ machines: 0 })
  const { principalId: only } = await alone.client.me()
  expect(await codeOf(() => alone.client.members.remove(only))).toBe('conflict')
  expect(await codeOf(() => alone.client.members.setRole(only, 'admin'))).toBe('conflict')
})

/** Runs a command, types into a session and writes a journal; then each of these ends within a second. */
async function losesWithinASecond(
  client: Client,
  { take, code }: { take: () => Promise<unknown>; code: string },
): Promise<void> {
  const mark = newMark()
  const handle = await client.machine(world.machine.id)
  const session = await handle.sessions.open({ shell: 'sh' })
  const attachment = await session.attach()
  const ended = codeOf(() => Array.fromAsync(attachment))
  const running = codeOf(() => handle.exec(['sleep', '1000'], { env: { MARK: mark } }))
  await whenRunning(mark)
  const run = await beginRun(client)
  expect(await codeOf(() => run())).toBe('ok')
  await take()
  const takenAt = performance.now()
  expect(await running).toBe(code)
  expect(await ended).toBe(code)
  await waitFor('the journal takes nothing more', async () => (await codeOf(() => run())) === code, 1000)
  await whenGone(mark, 1000)
  expect(performance.now() - takenAt).toBeLessThan(1000)
  expect(await codeOf(() => handle.exec('true'))).toBe(code)
}

/** More rows than fit between a relay and a reader who does not read: in a chain of their own, once. */
let manyRows: Promise<void> | undefined
function addManyRows(): Promise<void> {
  const add = async () => {
    const store = await world.openStore()
    const { fleetId } = await world.client.me()
    const [one] = (await world.client.audit.getLogs({ limit: 1 })).items
    const { chain: _chain, sequence: _sequence, ...row } = one as AuditLog
    let previous = NO_AUDIT_HASH
    const sealed = Array.from({ length: 4000 }, (_, index) => {
      const link = { chain: 'many', sequence: index + 1, previous }
      const body = auditBody({ ...row, id: `aud_many_${index}`, rule: 'x'.repeat(6000) }, link)
      previous = hash('sha256', body)
      return { fleetId, chain: link.chain, sequence: link.sequence, body }
    })
    await store.audit.begin(fleetId, 'many')
    for (let from = 0; from < sealed.length; from += 200) await store.audit.append(sealed.slice(from, from + 200))
  }
  return (manyRows ??= add())
}

/** Begins to read, and pauses; the answer reads on, until the relay ends it. Of what is whole it fails. */
async function beginReading(token: string, path: string): Promise<() => Promise<void>> {
  const answer = await fetch(`${world.relay.url}${path}`, { headers: { authorization: `Bearer ${token}` } })
  expect(answer.status).toBe(200)
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader()
  let last = Buffer.from((await reader.read()).value ?? [])
  return async () => {
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) last = Buffer.from(next.value)
    } catch {
      // It was broken off.
    }
    expect(last.includes('{"end"')).toBe(false)
  }
}

async function beginRun(client: Client): Promise<() => Promise<unknown>> {
  const runId = randomUUID()
  const about = { agentType: 'terminal', model: 'scripted:scripted', title: 'Look' } as const
  const entry = { v: 1, type: 'run_started' } as const
  await client.runs.create({ runId, machineId: world.machine.id, ...about, entry })
  let index = 0
  return () => {
    index += 1
    return client.runs.append(runId, index, [{ v: 1, type: 'model_asked' }])
  }
}
