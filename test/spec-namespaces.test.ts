import { readSkillFolder } from '@cmdop/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type AskedWorld, startAsked } from './asked-world.ts'
import { specMethods } from './spec-methods.ts'
import { waitFor } from './wait-for.ts'

/** Lists of it, all of which have `iter` and `pages`. */
const lists = ['machines', 'fleets', 'fleets.members', 'fleets.machines', 'tunnels', 'schedules', 'keys', 'skills']

let asked: AskedWorld
/** What one method has made for those after it. */
const made: Record<string, string> = {}
beforeAll(async () => {
  asked = await startAsked([{ text: 'Up for a day.' }], { machines: 2 })
})
afterAll(() => asked[Symbol.asyncDispose]())

const client = () => asked.world.client
const machine = () => asked.world.machine
const second = () => asked.world.machines[1]?.id ?? ''
const skill = () => made['skill'] ?? ''
const madeBy = (name: string) => made[name] ?? ''

/** Each method, called in this order against a real relay and real machines. */
const calls: Record<string, () => Promise<unknown>> = {
  'machines.list': async () => expect((await client().machines.list({ presence: 'online' })).items).toHaveLength(2),
  'machines.get': async () =>
    expect(await client().machines.get(machine().id)).toMatchObject({ id: machine().id, publicKeyVersion: 1 }),
  'machines.update': async () => {
    expect(await client().machines.update(machine().id, { name: 'web-1' })).toMatchObject({ name: 'web-1' })
    expect((await client().machines.resolve('web-1')).id).toBe(machine().id)
  },
  'machines.info': async () =>
    expect(await client().machines.info(machine().id)).toMatchObject({
      identity: { os: 'linux' },
      liveState: { memoryTotalGb: expect.any(Number), stale: false },
    }),
  'machines.ask': async () =>
    expect(await client().machines.ask(machine().id, 'How long is it up?').collect()).toBe('Up for a day.'),
  'machines.messages': async () =>
    expect((await client().machines.messages(machine().id)).messages.map(({ role }) => role)).toEqual([
      'user',
      'assistant',
    ]),
  'machines.activeSession': async () => expect(await client().machines.activeSession(machine().id)).not.toBe(''),
  'machines.spend': async () => expect(await client().machines.spend(machine().id)).toMatchObject({ calls: 1 }),
  'machines.clearMessages': async () =>
    expect(await client().machines.clearMessages(machine().id)).toMatchObject({ deleted: 2 }),
  'fleets.create': async () => {
    const { id } = await client().fleets.create({ name: 'Berlin', slug: 'berlin', mfaRequired: 'optional' })
    made['fleet'] = id
  },
  'fleets.list': async () => expect((await client().fleets.list()).items.map(({ slug }) => slug)).toContain('berlin'),
  'fleets.get': async () =>
    expect(await client().fleets.get(madeBy('fleet'))).toMatchObject({ slug: 'berlin', role: 'owner' }),
  'fleets.update': async () =>
    expect(await client().fleets.update(madeBy('fleet'), { name: 'Berlin 2' })).toMatchObject({ name: 'Berlin 2' }),
  'fleets.members.add': async () => {
    const { userId } = await client().fleets.members.add({ email: 'ann@example.com', role: 'viewer' })
    made['member'] = userId
  },
  'fleets.members.list': async () => expect((await client().fleets.members.list()).total).toBe(2),
  'fleets.members.setRole': async () =>
    expect(await client().fleets.members.setRole(madeBy('member'), 'member')).toMatchObject({ role: 'member' }),
  'fleets.members.remove': async () => {
    await client().fleets.members.remove(madeBy('member'))
    expect((await client().fleets.members.list()).total).toBe(1)
  },
  'fleets.machines.attach': async () =>
    expect(await client().fleets.machines.attach(second(), { fleetId: madeBy('fleet') })).toMatchObject({
      machineId: second(),
      fleetId: madeBy('fleet'),
    }),
  'fleets.machines.list': async () =>
    expect((await client().fleets.machines.list({ fleetId: madeBy('fleet') })).items.map(({ id }) => id)).toEqual([
      second(),
    ]),
  'fleets.machines.detach': async () => {
    await client().fleets.machines.detach(second(), { fleetId: madeBy('fleet') })
    expect((await client().fleets.machines.list({ fleetId: madeBy('fleet') })).items).toEqual([])
  },
  'fleets.disable': async () => {
    await client().fleets.disable(madeBy('fleet'))
    expect((await client().fleets.list()).items.map(({ slug }) => slug)).not.toContain('berlin')
  },
  'tunnels.sessions': async () =>
    expect((await client().tunnels.sessions()).items.map(({ machineId }) => machineId)).toContain(machine().id),
  'tunnels.open': async () => {
    const port = Number(new URL(asked.world.relay.url).port)
    const { tunnelId } = await client().tunnels.open({ machineId: machine().id, localPort: port, protocol: 'tcp' })
    made['tunnel'] = tunnelId
    await using listener = await client().tunnels.listen(tunnelId)
    const answer = await fetch(`http://127.0.0.1:${listener.port}/health`, { headers: { connection: 'close' } })
    expect(await answer.json()).toMatchObject({ status: 'ok' })
  },
  'tunnels.get': async () =>
    expect(await client().tunnels.get(madeBy('tunnel'))).toMatchObject({ tunnelId: madeBy('tunnel'), protocol: 'tcp' }),
  'tunnels.list': async () => expect((await client().tunnels.list()).total).toBe(1),
  'tunnels.close': async () => {
    await client().tunnels.close(madeBy('tunnel'))
    await client().tunnels.close(madeBy('tunnel'))
    expect((await client().tunnels.list()).total).toBe(0)
  },
  'schedules.create': async () => {
    const schedule = { name: 'nightly', cronExpr: '0 3 * * *', timezone: 'Europe/Berlin', command: 'echo ran' }
    made['schedule'] = (await client().schedules.create({ ...schedule, targetKind: 'all_fleet_machines' })).id
  },
  'schedules.list': async () => expect((await client().schedules.list()).total).toBe(1),
  'schedules.get': async () =>
    expect(await client().schedules.get(madeBy('schedule'))).toMatchObject({ name: 'nightly', isEnabled: true }),
  'schedules.update': async () =>
    expect(
      await client().schedules.update(madeBy('schedule'), {
        targetKind: 'specific_machines',
        machineIds: [machine().id],
      }),
    ).toMatchObject({ machineIds: [machine().id], cronExpr: '0 3 * * *' }),
  'schedules.trigger': async () => {
    const { queued, jobId } = await client().schedules.trigger(madeBy('schedule'))
    expect(queued).toBe(true)
    made['job'] = jobId
  },
  'schedules.runs': async () => {
    const ended = async () => {
      const [run] = (await client().schedules.runs(madeBy('schedule'))).items
      return run !== undefined && run.finishedAt !== null && run
    }
    expect(await waitFor('the run has ended', ended)).toMatchObject({ id: madeBy('job'), status: 'success' })
  },
  'schedules.delete': async () => {
    await client().schedules.delete(madeBy('schedule'))
    expect((await client().schedules.list()).total).toBe(0)
  },
  'keys.issue': async () => {
    const { id, rawToken } = await client().keys.issue({ name: 'ci', expiresInDays: 1 })
    made['key'] = id
    made['token'] = rawToken
    expect(await asked.world.connect({ token: rawToken }).me()).toMatchObject({ name: 'ci' })
  },
  'keys.list': async () => expect((await client().keys.list()).items.map(({ id }) => id)).toContain(madeBy('key')),
  'keys.revoke': async () => {
    await client().keys.revoke(madeBy('key'))
    await expect(asked.world.connect({ token: madeBy('token') }).me()).rejects.toMatchObject({ code: 'auth' })
  },
  'skills.create': async () => {
    made['skill'] = (await client().skills.create('Disk usage')).slug
  },
  'skills.publish': async () => {
    const folder = new URL('../examples/skills/disk-usage', import.meta.url).pathname
    const files = await readSkillFolder(folder)
    expect(await client().skills.publish(skill(), { files })).toMatchObject({ status: 'published' })
  },
  'skills.publishStatus': async () =>
    expect(await client().skills.publishStatus(skill())).toMatchObject({ status: 'published' }),
  'skills.list': async () => expect((await client().skills.list()).results.map(({ slug }) => slug)).toContain(skill()),
  'skills.my': async () => expect((await client().skills.my()).results.map(({ slug }) => slug)).toEqual([skill()]),
  'skills.get': async () => expect(await client().skills.get(skill())).toMatchObject({ latestVersion: '1.0.0' }),
  'skills.update': async () =>
    expect(await client().skills.update(skill(), { category: 'devops' })).toMatchObject({ category: 'devops' }),
  'skills.versions': async () =>
    expect((await client().skills.versions(skill())).results.map(({ version }) => version)).toEqual(['1.0.0']),
  'skills.install': async () =>
    expect(await client().skills.install(skill(), { machine: machine().id })).toMatchObject({ check: { ok: true } }),
  'skills.star': async () => expect(await client().skills.star(skill())).toEqual({ starred: true, starCount: 1 }),
  'skills.reviews': async () => {
    await client().skills.review(skill(), 'It says what is full.')
    expect((await client().skills.reviews(skill())).results).toMatchObject([{ body: 'It says what is full.' }])
  },
  'skills.categories': async () =>
    expect((await client().skills.categories()).results.map(({ slug }) => slug)).toContain('devops'),
  'skills.tags': async () =>
    expect((await client().skills.tags()).results.map(({ slug }) => slug)).toEqual(['disk', 'monitoring']),
  'skills.delete': async () => {
    await client().skills.delete(skill())
    expect((await client().skills.my()).results).toEqual([])
  },
  'machines.disable': async () => {
    await client().machines.disable(second())
    expect((await client().machines.list()).items.map(({ id }) => id)).not.toContain(second())
    expect(await client().machines.enable(second())).toMatchObject({ id: second() })
  },
}

test('every method of the table is walked, and no other', () => {
  expect(Object.keys(calls).toSorted()).toEqual(specMethods.toSorted())
})

for (const [name, call] of Object.entries(calls))
  test(`client.${name} works against a real relay and real machines`, async () => {
    expect.hasAssertions()
    await call()
    expect(methodOf(name)).toBeTypeOf('function')
  })

test.each(lists)('client.%s has `iter` and `pages`, which end and give the same', async (namespace) => {
  const [iter, pages] = [methodOf(`${namespace}.iter`), methodOf(`${namespace}.pages`)]
  const items = await Array.fromAsync(iter())
  const found = await Array.fromAsync(pages())
  expect(found.length).toBeGreaterThan(0)
  expect(found.flatMap((page) => Object(page)['items'] ?? Object(page)['results'])).toEqual(items)
  await expect(Array.fromAsync(iter({ signal: AbortSignal.abort() }))).rejects.toMatchObject({ code: 'cancelled' })
})

/** A method by its name in the table. */
function methodOf(name: string): (options?: unknown) => AsyncIterable<unknown> {
  const names = name.split('.')
  const method = names.pop() ?? ''
  const namespace = names.reduce<object>((found, each) => Object(Reflect.get(found, each)), client())
  const found: unknown = Reflect.get(namespace, method)
  if (typeof found !== 'function') throw new Error(`The client has no ${name}.`)
  return found.bind(namespace) as (options?: unknown) => AsyncIterable<unknown>
}
