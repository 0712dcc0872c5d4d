import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createAgent } from '@cmdop/agent'
import { scriptedModel } from '@cmdop/agent/testing'
import type { ExecOptions } from '@cmdop/core'
import { isCmdopError } from '@cmdop/protocol'
import { beforeEach, describe, expect, test } from 'vitest'
import { invitePerson } from './people.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

const noRestarts = {
  id: 'no-restarts',
  decision: 'deny',
  reason: 'Restarts go through the pipeline.',
  command: { name: 'systemctl', args: ['restart', '...'] },
  match: ['systemctl restart nginx'],
  notMatch: ['systemctl status nginx'],
}

async function setPolicy(world: World, policy: Record<string, unknown>, machineId?: string): Promise<void> {
  const place = machineId === undefined ? {} : { machineId }
  const { version } = await world.client.policy.get(place)
  await world.client.policy.set({ policy, version }, place)
}

/** `ran`, or what the call was refused with. */
async function outcome(world: World, command: string | string[], options: ExecOptions = {}): Promise<string> {
  return await world.handle.exec(command, options).then(
    () => 'ran',
    (error: unknown) => (isCmdopError(error) ? error.code : String(error)),
  )
}

describe('the policy of a fleet', () => {
  test('is none at first: what the role allows runs, but for the floor', async () => {
    await using world = await startWorld()
    expect(await world.client.policy.get()).toMatchObject({ policy: { mode: 'bypass', rules: [] }, version: 0 })
    expect(await outcome(world, 'touch /tmp/cmdop-policy-none && rm /tmp/cmdop-policy-none')).toBe('ran')
    expect(await outcome(world, ['rm', '-rf', '--no-preserve-root', '/'])).toBe('approval_required')
  })

  test('decides at once after it was set, for people and operators, and each refusal is a row', async () => {
    await using world = await startWorld()
    await setPolicy(world, { mode: 'default', rules: [noRestarts] })
    expect(await outcome(world, 'uptime && df -h / | tail -1')).toBe('ran')
    expect(await outcome(world, 'touch /tmp/cmdop-policy')).toBe('approval_required')
    const denied = await world.handle.exec('systemctl restart nginx').then(undefined, (error: unknown) => error)
    expect(denied).toMatchObject({
      code: 'policy_denied',
      message: expect.stringContaining('Restarts go through the pipeline.'),
      details: { rule: 'fleet:no-restarts' },
    })
    const model = scriptedModel([
      { calls: [{ tool: 'run_command', input: { command: 'sudo systemctl restart nginx' } }] },
      { text: 'no' },
    ])
    const { denied: ofRun } = await createAgent({ machine: world.handle, model }).run('Restart nginx')
    expect(ofRun).toMatchObject([{ rule: 'fleet:no-restarts' }])
    await setPolicy(world, { mode: 'strict' })
    expect(await outcome(world, 'touch /tmp/cmdop-policy')).toBe('policy_denied')
    await setPolicy(world, { mode: 'bypass' })
    expect(await outcome(world, 'true')).toBe('ran')
    const store = await world.openStore()
    const { fleetId } = await world.client.me()
    const codes = (await store.audit.list(fleetId, { limit: 500 })).map(({ row }) => row.code)
    expect(codes).toEqual(expect.arrayContaining(['approval_required', 'policy_denied']))
  })

  test('of one machine holds beside it', async () => {
    await using world = await startWorld({ machines: 2 })
    await setPolicy(world, { rules: [noRestarts] }, world.machine.id)
    const other = await world.client.machine(world.machines[1]?.id ?? '')
    expect(await outcome(world, 'systemctl restart nginx')).toBe('policy_denied')
    await expect(other.exec(['sh', '-c', 'exit 3'])).resolves.toMatchObject({ exitCode: 3 })
  })

  test('does not ask where the kernel holds the call to nothing that lasts, and rules still do', async () => {
    await using world = await startWorld()
    await setPolicy(world, { mode: 'default', rules: [noRestarts] })
    const [row] = await world.client.policy.simulate(['rm -rf /srv/app'])
    expect(row).toMatchObject({ decision: 'ask', deletes: true, danger: expect.any(String) })
    // Whoever says that a session restricts it has to be in one that does.
    const claims = (await world.client.machine(world.machine.id)).as({ under: { dryRun: true } })
    await expect(world.handle.sessions.open({ shell: 'sh' })).rejects.toMatchObject({ code: 'approval_required' })
    await expect(claims.files.write('/tmp/cmdop-policy', 'x')).rejects.toMatchObject({ code: 'permit' })
  })

  test('is refused with the rule and its example, and the former one stays', async () => {
    await using world = await startWorld({ machines: 0 })
    const wrong = { ...noRestarts, match: ['systemctl status nginx'], notMatch: ['uptime'] }
    await expect(setPolicy(world, { rules: [wrong] })).rejects.toMatchObject({
      code: 'validation',
      message: expect.stringContaining('no-restarts'),
    })
    expect((await world.client.policy.get()).version).toBe(0)
    await setPolicy(world, { mode: 'default' })
    await expect(world.client.policy.set({ policy: {}, version: 0 })).rejects.toMatchObject({ code: 'conflict' })
  })
})

describe('a grant', () => {
  let world: World
  /** Is there before anybody is asked: what a command names is part of what is approved. */
  let file: string
  beforeEach(async () => {
    world = await startWorld()
    file = join(await world.folder(), 'granted')
    await writeFile(file, '')
    await setPolicy(world, { mode: 'default' })
    return () => world[Symbol.asyncDispose]()
  })

  /** Approves what the command is refused with, and lets it be done again. */
  async function grant(command: string, seconds = 60): Promise<unknown> {
    const refused = await world.handle.exec(command).then(undefined, (error: unknown) => error)
    const { approvalId } = (refused as { details: { approvalId: string } }).details
    const { planDigest } = await world.client.approvals.get(approvalId)
    return world.client.approvals.approve(approvalId, { planDigest, grantSeconds: seconds })
  }

  test('lets exactly this be done again, until it is revoked', async () => {
    await grant(`touch ${file}`)
    expect(await outcome(world, `touch ${file}`)).toBe('ran')
    expect(await outcome(world, `touch ${file}`)).toBe('ran')
    expect(await outcome(world, `touch ${file}-too`)).toBe('approval_required')
    const [granted] = await world.client.approvals.grants.list()
    expect(granted).toMatchObject({ text: `touch ${file}`, uses: 2, revokedAt: null })
    await world.client.approvals.grants.revoke(granted?.id ?? '')
    expect(await outcome(world, `touch ${file}`)).toBe('approval_required')
  })

  test('never covers what deletes', async () => {
    await expect(grant(`rm -f ${file}`)).rejects.toMatchObject({ code: 'permission' })
    expect(await world.client.approvals.grants.list()).toEqual([])
  })

  test('ends with the approval that somebody denies, and is made once', async () => {
    const [{ client: bob }, { client: eve }] = [await invitePerson(world, 'bob'), await invitePerson(world, 'eve')]
    const refused = await world.handle.exec(`touch ${file}`).then(undefined, (error: unknown) => error)
    const { approvalId } = (refused as { details: { approvalId: string } }).details
    const { planDigest } = await bob.approvals.get(approvalId)
    const answer = { planDigest, grantSeconds: 60 }
    expect(await bob.approvals.approve(approvalId, answer)).toMatchObject({ state: 'approved' })
    await bob.approvals.approve(approvalId, answer)
    expect(await bob.approvals.grants.list()).toMatchObject([{ grantedBy: expect.any(String), revokedAt: null }])
    expect(await outcome(world, `touch ${file}`)).toBe('ran')
    expect(await eve.approvals.deny(approvalId, { reason: 'No.' })).toMatchObject({ state: 'denied' })
    expect(await eve.approvals.grants.list()).toMatchObject([{ revokedAt: expect.any(String) }])
    expect(await outcome(world, `touch ${file}`)).toBe('approval_required')
  })

  test('is over when its time is', async () => {
    await grant(`touch ${file}`, 1)
    await waitFor('it is over', async () => (await outcome(world, `touch ${file}`)) === 'approval_required')
  })
})
