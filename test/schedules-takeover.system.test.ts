import { describe, expect, test } from 'vitest'
import { runs, startAsked } from './asked-world.ts'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { invitePerson } from './people.ts'
import { endedRun, NEVER } from './schedule-runs.ts'
import { startWorld } from './world.ts'

describe('a run that goes on without a relay is ended by the next one, for nobody else would', () => {
  test('where the role of who wrote it is not enough any more', async () => {
    await using world = await startWorld({ relay: { drainMs: 100 } })
    const writer = await invitePerson(world, 'ann')
    const mark = newMark()
    const given = { name: 'lowered', cronExpr: NEVER, command: `: ${mark}; sleep 1000` }
    const { id } = await writer.client.schedules.create(given)
    const { jobId } = await world.client.schedules.trigger(id)
    await whenRunning(mark)
    // Nobody tells the relay that runs it.
    const store = await world.openStore()
    const { fleetId } = await world.client.me()
    await store.principals.changeMember({ id: writer.id, fleetId }, { role: 'viewer' })
    await world.relay.restart()
    await whenGone(mark, 60_000)
    const run = await endedRun(world.client, id, jobId)
    expect(run).toMatchObject({ status: 'failed', errorCode: 'permission', counts: { cancelled: 1 } })
    expect(run.error).toContain('The role viewer may not machine.exec')
    const ends = await store.audit.list(fleetId, { limit: 9, principalId: id, action: 'exec.result' })
    expect(ends[0]?.row).toMatchObject({ principalName: 'relay, ending a run', keyId: 'system', decision: 'allow' })
  })

  test('also the operator of a machine that was asked, where the key of who wrote it is gone', async () => {
    const mark = newMark()
    await using asked = await startAsked([runs(`: ${mark}; sleep 1000`)], { relay: { drainMs: 100 } })
    const { world, server } = asked
    const { id: keyId, rawToken } = await world.client.keys.issue({ name: 'gone soon', role: 'member' })
    const { schedules } = world.connect({ token: rawToken })
    const { id } = await schedules.create({ name: 'asked', cronExpr: NEVER, prompt: 'Wait for long.' })
    const { jobId } = await schedules.trigger(id)
    await whenRunning(mark)
    const store = await world.openStore()
    const { fleetId } = await world.client.me()
    await store.keys.revoke(fleetId, keyId, new Date().toISOString())
    await world.relay.restart()
    await whenGone(mark, 60_000)
    const run = await endedRun(world.client, id, jobId)
    expect(run).toMatchObject({ status: 'failed', errorCode: 'auth', counts: { cancelled: 1 } })
    const rowsOf = (action: string) => store.audit.list(fleetId, { limit: 9, principalId: id, action })
    const [end] = await rowsOf('ask.cancel')
    expect(end?.row).toMatchObject({ principalName: 'relay, ending a run', keyId: 'system', decision: 'allow' })
    // Nobody listens to its operator, who could go on then; and it does not.
    expect(await rowsOf('ask.attach')).toEqual([])
    expect(server.requests).toHaveLength(1)
  })
})
