import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type Action, actions, matrix, never } from '@cmdop/relay'
import { isCmdopError } from '@cmdop/protocol'
import type { Client } from '@cmdop/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { actsIn, schedule, unlessConflict, unlessUnknown, watched, webhook } from './acts.ts'
import { startWorld, type World } from './world.ts'

const roles = ['owner', 'admin', 'member', 'viewer'] as const

let world: World
let folder = ''
let acts: ReturnType<typeof actsIn>
beforeAll(async () => {
  world = await startWorld()
  folder = await world.folder()
  acts = actsIn(world)
})
afterAll(() => world[Symbol.asyncDispose]())

test('the page prints the matrix of the code', async () => {
  const page = await readFile(new URL('../docs/permissions.md', import.meta.url), 'utf8')
  const rows = page
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, 6)
        .map((cell) => cell.trim().replaceAll('`', '')),
    )
  const expected = actions.map((action) => [
    action,
    ...roles.map((role) => (matrix[role].includes(action) ? 'yes' : 'no')),
  ])
  expect(rows).toEqual(expected)
})

/** For each action, every way to do it. */
const ways: Record<Action, ((client: Client) => Promise<unknown>)[]> = {
  'machine.list': [
    (client) => client.machines.list(),
    (client) => client.machines.get(world.machine.id),
    (client) => client.machines.resolve(world.machine.name),
    (client) => client.machines.ping([world.machine.id]),
    (client) => client.me(),
    (client) => client.fleets.list(),
    (client) => client.fleets.get(),
    (client) => client.fleets.machines.list(),
    (client) => watched(client),
    (client) => acts.call(client, 'POST', '/api/channel-tickets'),
  ],
  'machine.facts': [
    async (client) => (await client.machine(world.machine.id)).facts(),
    async (client) => (await client.machine(world.machine.id)).capabilities(),
    (client) => client.machines.info(world.machine.id),
  ],
  'machine.exec': [async (client) => (await client.machine(world.machine.id)).exec('true')],
  'machine.ask': [
    (client) => client.machines.messages(world.machine.id),
    (client) => client.machines.clearMessages(world.machine.id),
    (client) => client.machines.activeSession(world.machine.id),
    (client) => client.machines.spend(world.machine.id),
  ],
  'machine.enroll': [(client) => client.enrollmentTokens.issue()],
  'file.read': [
    async (client) => (await client.machine(world.machine.id)).files.read('/etc/hostname'),
    async (client) => (await client.machine(world.machine.id)).files.list('/etc'),
    async (client) => (await client.machine(world.machine.id)).files.stat('/etc'),
    async (client) => (await client.machine(world.machine.id)).files.tree('/etc/hostname'),
    async (client) => (await client.machine(world.machine.id)).files.search('/etc/hostname', { name: '*' }),
  ],
  'file.write': [
    async (client) => (await client.machine(world.machine.id)).files.write(`${folder}/file`, 'text'),
    async (client) => (await client.machine(world.machine.id)).files.mkdir(`${folder}/a`, { parents: true }),
    async (client) => (await client.machine(world.machine.id)).files.symlink(`${folder}/b`, 'a', { overwrite: true }),
    async (client) => (await client.machine(world.machine.id)).files.change(folder, { mode: 0o700 }),
    async (client) =>
      (await client.machine(world.machine.id)).files.copy('/etc/hostname', `${folder}/c`, { overwrite: true }),
    async (client) => {
      await world.handle.files.write(`${folder}/d`, 'text')
      return (await client.machine(world.machine.id)).files.move(`${folder}/d`, `${folder}/e`, { overwrite: true })
    },
  ],
  'file.delete': [
    async (client) => (await client.machine(world.machine.id)).files.delete(`${folder}/none`, { missingOk: true }),
  ],
  'tunnel.read': [
    (client) => client.tunnels.list(),
    (client) => client.tunnels.sessions(),
    async (client) => client.tunnels.get((await acts.openTunnel(world.client)).tunnelId),
  ],
  'tunnel.open': [
    (client) => acts.openTunnel(client),
    async (client) => client.tunnels.close((await acts.openTunnel(world.client)).tunnelId),
  ],
  'tunnel.connect': [(client) => acts.connected(client)],
  'session.observe': [
    async (client) => (await client.machine(world.machine.id)).sessions.list(),
    async (client) => (await acts.sessionFor(client)).read({ offset: 0 }),
    async (client) => (await (await acts.sessionFor(client)).observe()).detach(),
  ],
  'session.operate': [
    async (client) => (await (await client.machine(world.machine.id)).sessions.open({ shell: 'sh' })).close(),
    async (client) => (await (await acts.sessionFor(client)).attach({ lease: 'none' })).detach(),
    async (client) => (await acts.sessionFor(client)).execute('true', { whenBusy: 'conflict' }),
    async (client) => (await acts.sessionFor(client)).close(),
  ],
  'effect.read': [
    async (client) => (await client.machine(world.machine.id)).effects.list(),
    (client) => unlessUnknown(async () => (await acts.effectsFor(client)).get(noEffect)),
  ],
  'effect.apply': [
    (client) => unlessUnknown(async () => (await acts.effectsFor(client)).apply(noEffect, '0'.repeat(64))),
    (client) => unlessUnknown(async () => (await acts.effectsFor(client)).discard(noEffect)),
    (client) => unlessUnknown(async () => (await acts.effectsFor(client)).undo(noEffect)),
  ],
  'recording.read': [
    (client) => client.recordings.list(),
    async (client) => client.recordings.get(await acts.anyRecording()),
    async (client) => Array.fromAsync(client.recordings.content(await acts.anyRecording())),
  ],
  'run.write': [
    (client) => acts.newRun(client),
    async (client) => client.runs.append(await acts.newRun(client), 1, [{ v: 1, type: 'run_started' }]),
  ],
  'run.read': [
    (client) => client.runs.list(),
    async (client) => client.runs.get(await acts.newRun(world.client)),
    async (client) => Array.fromAsync(client.runs.entries(await acts.newRun(world.client))),
  ],
  'skill.read': [
    (client) => client.skills.list(),
    (client) => client.skills.my(),
    async (client) => client.skills.get((await acts.anySkill()).slug),
    async (client) => client.skills.versions((await acts.anySkill()).slug),
    async (client) => client.skills.reviews((await acts.anySkill()).slug),
    (client) => client.skills.categories(),
    (client) => client.skills.tags(),
    (client) => client.skills.installed(world.machine.id),
    (client) => unlessUnknown(async () => (await client.machine(world.machine.id)).skills.get('none')),
  ],
  'skill.run': [
    (client) =>
      unlessUnknown(async () => {
        const skill = { name: 'none', sha256: '0'.repeat(64), tool: 'check' }
        return (await client.machine(world.machine.id)).exec('true', { skill })
      }),
  ],
  'skill.review': [
    async (client) => client.skills.star((await acts.anySkill()).slug),
    async (client) => client.skills.review((await acts.anySkill()).slug, 'It works.'),
  ],
  'skill.install': [
    (client) => unlessUnknown(() => client.skills.install('none')),
    (client) => client.skills.uninstall('none', { machine: world.machine.id }),
  ],
  'skill.publish': [
    async (client) => {
      const { slug } = await client.skills.create(`skill ${randomUUID()}`)
      await client.skills.update(slug, { category: 'other' })
      await client.skills.publishStatus(slug)
      await client.skills.publish(slug, { skillMd: `---\nname: ${slug}\ndescription: x\nversion: 1.0.0\n---\n` })
      await client.skills.delete(slug)
    },
  ],
  'schedule.read': [
    (client) => client.schedules.list(),
    (client) => acts.withSchedule((id) => client.schedules.get(id)),
    (client) => acts.withSchedule((id) => client.schedules.runs(id)),
    (client) => acts.withSchedule((id) => unlessUnknown(() => client.schedules.run(id, 'srn_none'))),
  ],
  'schedule.write': [
    async (client) => world.client.schedules.delete((await client.schedules.create(schedule)).id),
    (client) => acts.withSchedule((id) => client.schedules.update(id, { isEnabled: false })),
    (client) => acts.withSchedule((id) => client.schedules.delete(id)),
  ],
  'schedule.run': [
    (client) => acts.withSchedule((id) => client.schedules.trigger(id)),
    (client) => acts.withSchedule((id) => unlessUnknown(() => client.schedules.cancel(id, 'srn_none'))),
  ],
  'key.list': [(client) => client.keys.list()],
  'key.issue': [
    (client) => client.keys.issue({ name: 'viewer', kind: 'ai', role: 'viewer' }),
    async (client) => client.keys.rotate(await acts.keyToRotate(client)),
  ],
  'key.revoke': [async (client) => client.keys.revoke(await acts.othersKey())],
  'key.own': [
    (client) => client.keys.list({ of: 'me' }),
    async (client) => client.keys.rotate((await world.client.keys.issue({ name: 'old', role: 'viewer' })).id),
    async (client) => client.keys.revoke((await world.client.keys.issue({ name: 'short', role: 'viewer' })).id),
  ],
  'machine.manage': [
    (client) => client.machines.release(world.machine.id),
    (client) => client.machines.label(world.machine.id, { walked: 'yes' }),
    (client) => client.machines.update(world.machine.id, { name: world.machine.name }),
    (client) => client.machines.enable(world.machine.id),
    async (client) => client.machines.disable(await acts.spareMachine()),
    (client) => unlessUnknown(() => client.fleets.machines.attach('mch_none')),
    (client) => unlessUnknown(() => client.fleets.machines.detach('mch_none')),
  ],
  'member.list': [
    (client) => client.members.list(),
    (client) => client.members.invitations(),
    (client) => client.members.settings(),
  ],
  'member.manage': [
    (client) => client.members.invite({ email: `${randomUUID()}@example.com`, role: 'viewer' }),
    async (client) => client.members.add(acts.newMember()),
    async (client) => client.members.setRole((await acts.anyMember()).userId, 'member'),
    async (client) => client.members.setGroups((await acts.anyMember()).userId, ['ops']),
    async (client) => client.members.code((await acts.anyMember()).userId),
    async (client) => client.members.resetTotp((await acts.anyMember()).userId),
    async (client) => client.members.remove((await acts.anyMember()).userId),
    async (client) => client.members.revokeInvitation((await world.client.members.invite(acts.newMember())).id),
  ],
  'fleet.configure': [
    async (client) => client.fleets.update((await client.me()).fleetId, { name: 'Walked' }),
    (client) => client.members.configure({ fourEyes: null }),
    (client) => client.webhooks.list(),
    async (client) => world.client.webhooks.remove((await client.webhooks.create(webhook)).id),
    (client) => acts.withWebhook((id) => client.webhooks.update(id, { enabled: false })),
    (client) => acts.withWebhook((id) => client.webhooks.test(id)),
    (client) => acts.withWebhook((id) => client.webhooks.deliveries(id)),
    (client) => acts.withWebhook((id) => client.webhooks.remove(id)),
  ],
  'fleet.create': [(client) => client.fleets.create({ name: 'Another', slug: `s-${randomUUID()}` })],
  // That of the owner of the relay stays.
  'fleet.disable': [(client) => unlessConflict(async () => client.fleets.disable((await client.me()).fleetId))],
  'policy.read': [(client) => client.policy.get(), (client) => client.policy.simulate(['uptime'])],
  'policy.write': [
    async (client) =>
      client.policy.set({ policy: { mode: 'bypass' }, version: (await world.client.policy.get()).version }),
  ],
  'approval.request': [(client) => acts.askFor(client)],
  'approval.read': [
    (client) => client.approvals.list(),
    async (client) => client.approvals.get((await acts.askFor(world.client)).id),
    (client) => client.approvals.grants.list(),
  ],
  'approval.decide': [async (client) => client.approvals.deny((await acts.askFor(world.client)).id)],
  'grant.revoke': [(client) => unlessUnknown(() => client.approvals.grants.revoke('grt_none'))],
  'audit.read': [
    (client) => client.audit.getLogs({ limit: 1 }),
    (client) => Array.fromAsync(client.audit.export({ code: 'none' })),
    (client) => Array.fromAsync(client.audit.checkpoints()),
    (client) => client.audit.key(),
    (client) => acts.followed(client),
  ],
  'metrics.read': [(client) => acts.call(client, 'GET', '/metrics')],
}

/** Who may ask for it hears that there is none. */
const noEffect = 'call_no_such_effect'

const walked = [
  ...roles.map((role) => ({ role, kind: 'human' as const })),
  { role: 'owner' as const, kind: 'ai' as const },
  { role: 'owner' as const, kind: 'service' as const },
]

describe.each(walked)('the role $role, by a key of kind $kind,', ({ role, kind }) => {
  let client: Client
  beforeAll(async () => {
    const { rawToken: token } = await world.client.keys.issue({ name: role, kind, role })
    client = world.connect({ token })
  })

  for (const action of actions) {
    const allowed = matrix[role].includes(action) && never[kind]?.[action] === undefined
    // Of a key that is not the person's own, rotating and revoking is key.issue and key.revoke.
    const walkedWays = action === 'key.own' && kind !== 'human' ? ways[action].slice(0, 1) : ways[action]
    test(`${allowed ? 'may' : 'may not'} ${action}`, async () => {
      expect(ways[action]).not.toEqual([])
      for (const way of walkedWays) {
        const code = await way(client).then(
          () => 'ok',
          (error: unknown) => (isCmdopError(error) ? error.code : error),
        )
        expect(code).toBe(allowed ? 'ok' : 'permission')
      }
    })
  }
})

test('an AI operator may look at an effect, and may not apply, discard or undo it, whatever its role', async () => {
  const { rawToken: token } = await world.client.keys.issue({ name: 'robot', kind: 'ai', role: 'owner' })
  const effects = await acts.effectsFor(world.connect({ token }))
  await expect(effects.list()).resolves.toEqual([])
  await expect(effects.get(noEffect)).rejects.toMatchObject({ code: 'not_found' })
  const refused = { code: 'permission', message: expect.stringContaining('Ask a person') }
  await expect(effects.apply(noEffect, '0'.repeat(64))).rejects.toMatchObject(refused)
  await expect(effects.discard(noEffect)).rejects.toMatchObject(refused)
  await expect(effects.undo(noEffect)).rejects.toMatchObject(refused)
})
