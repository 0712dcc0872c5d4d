import { readFile } from 'node:fs/promises'
import { type Action, actions, matrix } from '@cmdop/relay'
import { isCmdopError } from '@cmdop/protocol'
import type { Client } from '@cmdop/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startWorld, type World } from './world.ts'

const roles = ['owner', 'admin', 'member', 'viewer'] as const

let world: World
beforeAll(async () => {
  world = await startWorld()
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
    (client) => client.me(),
    (client) => call(client, 'POST', '/api/channel-tickets'),
  ],
  'machine.facts': [async (client) => (await client.machine(world.machine.id)).facts()],
  'machine.exec': [async (client) => (await client.machine(world.machine.id)).exec('true')],
  'machine.enroll': [(client) => client.enrollmentTokens.issue()],
  'file.read': [
    async (client) => (await client.machine(world.machine.id)).files.read('/etc/hostname'),
    async (client) => (await client.machine(world.machine.id)).files.list('/etc'),
  ],
  'key.list': [(client) => client.keys.list()],
  'key.issue': [(client) => client.keys.issue({ name: 'viewer', role: 'viewer' })],
  'key.revoke': [
    async (client) => client.keys.revoke((await world.client.keys.issue({ name: 'short', role: 'viewer' })).id),
  ],
  'metrics.read': [(client) => call(client, 'GET', '/metrics')],
}

const keys = new Map<Client, string>()

describe.each(roles)('the role %s', (role) => {
  let client: Client
  beforeAll(async () => {
    const { raw_token: token } = await world.client.keys.issue({ name: role, role })
    client = world.connect({ token })
    keys.set(client, token)
  })

  for (const action of actions) {
    const allowed = matrix[role].includes(action)
    test(`${allowed ? 'may' : 'may not'} ${action}`, async () => {
      for (const way of ways[action]) {
        const code = await way(client).then(
          () => 'ok',
          (error: unknown) => (isCmdopError(error) ? error.code : error),
        )
        expect(code).toBe(allowed ? 'ok' : 'permission')
      }
    })
  }
})

/** A call that the client has no method for. */
async function call(client: Client, method: string, path: string): Promise<void> {
  const headers = { authorization: `Bearer ${keys.get(client) ?? ''}` }
  const { status } = await fetch(`${world.relay.url}${path}`, { method, headers })
  if (status === 403) throw Object.assign(new Error(), { code: 'permission', [Symbol.for('cmdop.error')]: true })
  expect(status).toBeLessThan(300)
}
