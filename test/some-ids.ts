import { randomUUID } from 'node:crypto'
import { fleetRunOf } from './fleet-runs.ts'
import { invitePerson } from './people.ts'
import { NEVER } from './schedule-runs.ts'
import { waitFor } from './wait-for.ts'
import type { World } from './world.ts'

/** Ids of objects that are there, of the world's fleet, by the names of the parameters of paths. */
export async function someIds(world: World): Promise<Record<string, string>> {
  const { client, machine } = world
  const { fleetId: fleet } = await client.me()
  const { id: keyId } = await client.keys.issue({ name: 'there' })
  const { userId: user } = await client.members.add({ email: 'there@example.com' })
  const { id: invitation } = await client.members.invite({ email: 'soon@example.com' })
  const { code } = await client.members.code(user)
  const { sessionId: session } = await client.login.signIn({ email: 'there@example.com', code })
  await world.handle.exec('true')
  const recording = await waitFor('something is recorded', async () => (await client.recordings.list()).items[0])
  const run = randomUUID()
  const about = { agentType: 'terminal', model: 'scripted:scripted', title: 'Look' } as const
  await client.runs.create({ runId: run, machineId: machine.id, ...about, entry: { v: 1, type: 'run_started' } })
  await client.fleetRuns.create(fleetRunOf(run, [machine.id]))
  const call = 'call_0123456789abcdef'
  const actions = [{ machineId: machine.id, method: 'exec', params: { command: 'true' } }]
  const asked = await client.approvals.request({ title: 'true', actions })
  const { id: approval, planDigest } = await client.approvals.request({ title: 'true', actions })
  await (await invitePerson(world, 'voter')).client.approvals.approve(asked.id, { planDigest, grantSeconds: 60 })
  const { id: webhook } = await client.webhooks.create({ url: 'https://ops.example/cmdop' })
  const { tunnelId: tunnel } = await client.tunnels.open({ machineId: machine.id, localPort: 9, protocol: 'tcp' })
  const [granted] = await client.approvals.grants.list()
  const { slug } = await client.skills.create('Of the fleet')
  const { id: schedule } = await client.schedules.create({ name: 'there', cronExpr: NEVER, command: 'true' })
  return {
    fleet,
    machine: machine.id,
    key: keyId,
    user,
    invitation,
    session,
    recording: recording.recordingId,
    run,
    call,
    approval,
    webhook,
    slug,
    schedule,
    tunnel,
    grant: granted?.id ?? '',
  }
}
