import { randomUUID } from 'node:crypto'
import type { Client, MachineEffects, Session } from '@cmdop/core'
import { enrollMachine } from '@cmdop/machine'
import { isCmdopError } from '@cmdop/protocol'
import { expect } from 'vitest'
import { NEVER } from './schedule-runs.ts'
import { dial, readAll } from './tunnel-services.ts'
import { waitFor } from './wait-for.ts'
import type { World } from './world.ts'

/** Nobody answers there. */
export const webhook = { url: 'http://127.0.0.1:9/nobody' }
/** Nothing that would run by itself. */
export const schedule = { name: 'walked', cronExpr: NEVER, command: 'true' }

/** What a walk over all actions needs to have in a world. */
export function actsIn(world: World) {
  /** A webhook of the owner, gone after the call. */
  async function withWebhook(call: (id: string) => Promise<unknown>): Promise<void> {
    const { id } = await world.client.webhooks.create(webhook)
    try {
      await call(id)
    } finally {
      await unlessUnknown(() => world.client.webhooks.remove(id))
    }
  }

  /** A schedule of the owner, gone after the call. */
  async function withSchedule(call: (id: string) => Promise<unknown>): Promise<void> {
    const { id } = await world.client.schedules.create(schedule)
    try {
      await call(id)
    } finally {
      await unlessUnknown(() => world.client.schedules.delete(id))
    }
  }

  function openTunnel(client: Client) {
    return client.tunnels.open({ machineId: world.machine.id, localPort: 9, protocol: 'tcp' })
  }

  /** A connection to a port of the machine, at which the relay listens. */
  async function connected(client: Client): Promise<void> {
    const refused = Promise.withResolvers<never>()
    const target = { machineId: world.machine.id, port: Number(new URL(world.relay.url).port) }
    await using listener = await client.tunnels.listen(target, { onError: refused.reject })
    const socket = await dial(listener.port)
    socket.write('GET /health HTTP/1.0\r\n\r\n')
    const answered = readAll(socket)
    answered.catch(() => {})
    const answer = await Promise.race([refused.promise, answered.catch(() => refused.promise)])
    expect(answer.toString()).toContain('200 OK')
  }

  /** The id of a run that has begun. */
  async function newRun(client: Client): Promise<string> {
    const runId = randomUUID()
    const run = { runId, machineId: world.machine.id, agentType: 'terminal', model: 'scripted:scripted', title: 'Look' }
    await client.runs.create({ ...run, entry: { v: 1, type: 'run_started' } })
    return runId
  }

  /** A key of somebody else for a person; a program rotates only its own and those that it issued. */
  async function keyToRotate(client: Client): Promise<string> {
    if ((await client.me()).kind === 'human') return othersKey()
    return (await client.keys.issue({ name: 'issued', kind: 'ai', role: 'viewer' })).id
  }

  /** A skill of the owner. */
  function anySkill() {
    return world.client.skills.create(`skill ${randomUUID()}`)
  }

  function newMember() {
    return { email: `${randomUUID()}@example.com`, role: 'viewer' as const }
  }

  /** A member that is there for nothing else. */
  function anyMember() {
    return world.client.members.add(newMember())
  }

  /** A key of somebody else. */
  async function othersKey(): Promise<string> {
    const { userId: member } = await anyMember()
    return (await world.client.keys.issue({ name: 'of another', kind: 'human', role: 'viewer', member })).id
  }

  function askFor(client: Client): Promise<{ id: string }> {
    const actions = [{ machineId: world.machine.id, method: 'exec', params: { command: 'true' } }]
    return client.approvals.request({ title: 'true', actions })
  }

  /** Follows until a row comes: others read the log meanwhile. */
  async function followed(client: Client): Promise<void> {
    const rows = client.audit.follow()
    const over = new AbortController()
    const next = rows.next().finally(() => over.abort())
    next.catch(() => {})
    while (!over.signal.aborted) await world.client.audit.key()
    await next
    await rows.return(undefined)
  }

  async function effectsFor(client: Client): Promise<MachineEffects> {
    return (await client.machine(world.machine.id)).effects
  }

  /** A machine that is there for nothing else, and has no daemon. */
  async function spareMachine(): Promise<string> {
    const { rawToken: token } = await world.client.enrollmentTokens.issue()
    const { machineId } = await enrollMachine({
      relayUrl: world.relay.url,
      token,
      dataDir: await world.folder(),
      name: randomUUID(),
    })
    return machineId
  }

  /** A session that the owner has opened, as a client sees it. */
  async function sessionFor(client: Client): Promise<Session> {
    const { id } = await world.handle.sessions.open({ shell: 'sh' })
    return (await client.machine(world.machine.id)).sessions.get(id)
  }

  /** A recording that is there. */
  async function anyRecording(): Promise<string> {
    await world.handle.exec('true')
    const recording = await waitFor(
      'something is recorded',
      async () => (await world.client.recordings.list()).items[0],
    )
    return recording.recordingId
  }

  /** A call that the client has no method for. */
  async function call(client: Client, method: string, path: string): Promise<void> {
    const headers = { authorization: `Bearer ${client.token ?? ''}` }
    const { status } = await fetch(`${world.relay.url}${path}`, { method, headers })
    if (status === 403) throw Object.assign(new Error(), { code: 'permission', [Symbol.for('cmdop.error')]: true })
    expect(status).toBeLessThan(300)
  }

  return {
    withWebhook,
    withSchedule,
    openTunnel,
    connected,
    newRun,
    keyToRotate,
    anySkill,
    newMember,
    anyMember,
    othersKey,
    askFor,
    followed,
    effectsFor,
    spareMachine,
    sessionFor,
    anyRecording,
    call,
  }
}

/** Watches until all machines are there. */
export async function watched(client: Client): Promise<void> {
  for await (const event of client.machines.watch()) if (event.type === 'snapshot' && event.last) return
}

export async function unlessConflict(call: () => Promise<unknown>): Promise<void> {
  await call().catch((error: unknown) => {
    if (!isCmdopError(error) || error.code !== 'conflict') throw error
  })
}

export async function unlessUnknown(call: () => Promise<unknown>): Promise<void> {
  await call().catch((error: unknown) => {
    if (!isCmdopError(error) || error.code !== 'not_found') throw error
  })
}
