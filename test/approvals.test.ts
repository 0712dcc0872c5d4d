import { writeFile } from 'node:fs/promises'
import type { Client } from '@cmdop/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { invitePerson } from './people.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ machines: 2, relay: { logLevel: 'error' } })
})
afterAll(() => world[Symbol.asyncDispose]())

/** Runs a command that asks for a person, and gives the question. */
async function asked(client: Client, command: string | string[], options: object = {}) {
  const machine = await client.machine(world.machine.id)
  const execution = machine.exec(command, { approval: { ask: true, wait: true }, ...options })
  const outcome = execution.then(
    (result) => ({ result, error: undefined }),
    (error: unknown) => ({ result: undefined, error }),
  )
  const approval = await waitFor('the question is there', async () => {
    const { items } = await client.approvals.list({ state: 'pending' })
    return items[0] === undefined ? undefined : client.approvals.get(items[0].id)
  })
  return { approval, outcome }
}

describe('a command that a person has to approve', () => {
  test('does not run before, and runs exactly as approved after', async () => {
    const folder = await world.folder()
    const { approval, outcome } = await asked(world.client, `echo done > ${folder}/file; cat ${folder}/file`)
    expect(approval).toMatchObject({ state: 'pending', danger: expect.any(String), requesterKind: 'human' })
    expect(approval.actions).toMatchObject([{ text: `echo done > ${folder}/file; cat ${folder}/file`, method: 'exec' }])
    await expect(world.handle.files.stat(`${folder}/file`)).rejects.toMatchObject({ code: 'not_found' })
    await world.client.approvals.approve(approval.id, { planDigest: approval.planDigest })
    expect((await outcome).result).toMatchObject({ stdout: 'done\n', exitCode: 0 })
    const after = await waitFor('it is done', async () => {
      const info = await world.client.approvals.get(approval.id)
      return info.state === 'done' ? info : undefined
    })
    expect(after.votes).toMatchObject([{ vote: 'approve' }])
  })

  test('does not run when it is denied, and says why', async () => {
    const { approval, outcome } = await asked(world.client, 'echo never')
    await world.client.approvals.deny(approval.id, { reason: 'not today' })
    expect((await outcome).error).toMatchObject({
      code: 'approval_denied',
      message: expect.stringContaining('not today'),
    })
  })

  test('runs in the version of the approver', async () => {
    const { approval, outcome } = await asked(world.client, 'echo one', { env: { SECRET: 'hidden' } })
    expect(JSON.stringify(approval)).not.toContain('hidden')
    expect(approval.actions[0]).toMatchObject({ environment: ['SECRET'] })
    await world.client.approvals.approve(approval.id, {
      planDigest: approval.planDigest,
      edited: { command: 'echo "two $SECRET"' },
    })
    expect((await outcome).result).toMatchObject({ stdout: 'two hidden\n' })
  })

  test('is void when a file that it names is changed after the approval', async () => {
    const folder = await world.folder()
    await writeFile(`${folder}/deploy.sh`, 'echo good')
    const machine = await world.client.machine(world.machine.id)
    const call = { callId: 'call_changed_file', cwd: folder, approval: { ask: true } }
    const refused = await machine.exec('sh deploy.sh', call).then(undefined, (error: unknown) => error)
    expect(refused).toMatchObject({ code: 'approval_required' })
    const { approvalId } = (refused as { details: { approvalId: string } }).details
    const approval = await world.client.approvals.get(approvalId)
    expect(approval.actions[0]?.files).toMatchObject([{ path: `${folder}/deploy.sh` }])
    await world.client.approvals.approve(approvalId, { planDigest: approval.planDigest })
    await writeFile(`${folder}/deploy.sh`, 'echo bad')
    await expect(machine.exec('sh deploy.sh', call)).rejects.toMatchObject({ code: 'approval_void' })
    await waitFor('it is void', async () => (await world.client.approvals.get(approvalId)).state === 'void')
  })
})

test('An edited question shows others the version of the approver: its danger, and the rule that asks who asked about it', async () => {
  await using world = await startWorld()
  const { version } = await world.client.policy.get()
  const rule = { id: 'ask-ai', decision: 'ask', who: ['ai'], reason: 'Not an operator.', class: ['delete'] }
  const examples = { match: ['rm /srv/x'], notMatch: ['ls /srv'] }
  await world.client.policy.set({ policy: { mode: 'bypass', rules: [{ ...rule, ...examples }] }, version })
  const { rawToken: token } = await world.client.keys.issue({ name: 'operator', kind: 'ai', role: 'member' })
  const [bob, eve] = [await invitePerson(world, 'bob'), await invitePerson(world, 'eve')]
  const actions = [{ machineId: world.machine.id, method: 'exec', params: { command: 'uptime' } }]
  const requirement = [{ from: 'member', n: 2 }]
  const asked = await world.connect({ token }).approvals.request({ title: 'Look around', actions, requirement })
  expect(asked).toMatchObject({ danger: 'low', rule: 'caller' })
  const edited = { command: 'rm -rf /srv/app' }
  await bob.client.approvals.approve(asked.id, { planDigest: asked.planDigest, edited })
  expect(await eve.client.approvals.get(asked.id)).toMatchObject({
    state: 'pending',
    title: `rm -rf /srv/app on ${world.machine.name}`,
    danger: 'high',
    dangerReason: expect.stringMatching(/./),
    reason: 'Not an operator.',
    rule: 'fleet:ask-ai',
    edited: { from: 'uptime' },
  })
})
