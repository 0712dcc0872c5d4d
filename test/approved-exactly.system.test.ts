import { mkdir, rm, writeFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { createAgent, createRelayJournal } from '@cmdop/agent'
import { scriptedModel } from '@cmdop/agent/testing'
import type { Client, ExecOptions, RemoteMachine, ApprovalInfo } from '@cmdop/core'
import { isCmdopError, type Open } from '@cmdop/protocol'
import type { Store } from '@cmdop/relay'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { invitePerson } from './people.ts'
import { waitFor } from './wait-for.ts'
import { startWireProxy, type WireProxy } from './wire-proxy.ts'
import { startWorld, type World } from './world.ts'

/** Twelve ways to have something run that is not what was approved. None of them runs it, and each is a row of the audit log. */
let world: World
let store: Store
let bob: Client
let folder = ''
let marker = ''
beforeAll(async () => {
  world = await startWorld({ machines: 2 })
  store = await world.openStore()
  folder = await world.folder()
  marker = join(folder, 'ran')
  bob = (await invitePerson(world, 'bob')).client
})
afterAll(() => world[Symbol.asyncDispose]())

let calls = 0
const newCallId = () => `call_exactly_${(calls += 1)}`

/** Asks for a command, and gives the question. */
async function ask(command: string, options: ExecOptions & { callId: string }): Promise<ApprovalInfo> {
  await rm(marker, { force: true })
  const refused = await world.handle
    .exec(command, { ...options, approval: { ask: true } })
    .then(undefined, (error: unknown) => error)
  expect(refused).toMatchObject({ code: 'approval_required' })
  return world.client.approvals.get((refused as { details: { approvalId: string } }).details.approvalId)
}

const approve = (by: Client, { id, planDigest }: ApprovalInfo) => by.approvals.approve(id, { planDigest })

/** What the call is refused with; nothing has run. */
async function refusal(command: string, options: ExecOptions, handle = world.handle): Promise<string> {
  const code = await handle.exec(command, { ...options, approval: { ask: true, ...options.approval } }).then(
    () => 'ran',
    (error: unknown) => (isCmdopError(error) ? error.code : String(error)),
  )
  await expect(world.handle.files.stat(marker)).rejects.toMatchObject({ code: 'not_found' })
  return code
}

/** A row of the log says so. */
async function expectRow(row: Partial<Record<'code' | 'callId' | 'action', string>>): Promise<void> {
  const { fleetId } = await world.client.me()
  await waitFor(`there is a row ${JSON.stringify(row)}`, async () => {
    const rows = await allRows(fleetId)
    return rows.some((each) =>
      Object.entries(row).every(([name, value]) => (each as Record<string, unknown>)[name] === value),
    )
  })
}

/** Writes past the relay, once that has no transaction open: to wait for the lock in this thread would keep it from ending one. */
async function inDatabase(write: (database: DatabaseSync) => void): Promise<void> {
  using database = new DatabaseSync(join(world.relay.dataDir, 'relay.sqlite'))
  await waitFor('the database is not locked', () => {
    try {
      write(database)
      return true
    } catch (error) {
      if (error instanceof Error && error.message === 'database is locked') return false
      throw error
    }
  })
}

async function allRows(fleetId: string): Promise<unknown[]> {
  const rows: unknown[] = []
  for (let after = 0; ;) {
    const page = await store.audit.list(fleetId, { limit: 500, after })
    rows.push(...page.map(({ row }) => row))
    const last = page.at(-1)
    if (last === undefined) return rows
    after = last.position
  }
}

describe('does not run:', () => {
  test('1. what a row was edited to, by whoever writes to the database', async () => {
    const call = { callId: newCallId() }
    const approval = await ask(`echo approved`, call)
    await approve(bob, approval)
    await inDatabase((database) => {
      const { action } = database
        .prepare('select action from approval_actions where approval_id = ?')
        .get(approval.id) as { action: string }
      const edited = action.replace('echo approved', `touch ${marker}`)
      database.prepare('update approval_actions set action = ? where approval_id = ?').run(edited, approval.id)
    })
    expect(await refusal(`touch ${marker}`, call)).toBe('approval_void')
    await expectRow({ callId: call.callId, code: 'approval_void' })
  })

  test('1. what a row was edited to before people voted: they cannot', async () => {
    const call = { callId: newCallId() }
    const approval = await ask('echo approved', call)
    await inDatabase((database) => {
      const { action } = database
        .prepare('select action from approval_actions where approval_id = ?')
        .get(approval.id) as { action: string }
      const edited = action.replace('echo approved', `touch ${marker}`)
      database.prepare('update approval_actions set action = ? where approval_id = ?').run(edited, approval.id)
    })
    await expect(approve(bob, approval)).rejects.toMatchObject({ code: 'integrity' })
    await expectRow({ action: 'approval.decide', code: 'integrity' })
    expect(await world.client.approvals.get(approval.id)).toMatchObject({ state: 'pending', votes: [] })
    expect(await refusal(`touch ${marker}`, call)).toBe('approval_required')
  })

  describe('1. what somebody made of it on the wire, between the relay and the machine:', () => {
    const evil = (open: Open): Open => ({ ...open, params: { ...open.params, command: `touch ${marker}` } })
    const withBody = (change: (body: string) => string) => (open: Open) =>
      open.approval === undefined ? open : { ...open, approval: { ...open.approval, body: change(open.approval.body) } }
    const without = (open: Open): Open => {
      const { approval: _, ...bare } = open
      return bare
    }
    let proxy: WireProxy
    let machine: RemoteMachine
    beforeAll(async () => {
      proxy = await startWireProxy(world.relay.url)
      machine = await world.client.machine((await world.addMachine('behind', proxy.url)).id)
    })
    afterAll(() => proxy[Symbol.asyncDispose]())

    test.each<[string, (open: Open) => Open, string]>([
      ['another command', evil, 'permit'],
      ['a call without its approval', without, 'approval_void'],
      ['a later end', withBody((body) => body.replace(/"expiresAt":\d/, '"expiresAt":9')), 'approval_void'],
      ['another use', withBody((body) => body.replace('"useId":"apr_', '"useId":"use_')), 'approval_void'],
    ])('%s', async (_, change, code) => {
      const call = { callId: newCallId() }
      const command = 'echo approved'
      const asked = { ...call, approval: { ask: true } }
      const refused = await machine.exec(command, asked).then(undefined, (error: unknown) => error)
      const { approvalId } = (refused as { details: { approvalId: string } }).details
      await approve(bob, await world.client.approvals.get(approvalId))
      proxy.change = (open) => (open.method === 'exec' ? change(open) : open)
      expect(await refusal(command, call, machine)).toBe(code)
      await expectRow({ callId: call.callId, code })
      proxy.change = (open) => open
    })

    test('nothing, and it runs', async () => {
      expect(await machine.exec(`touch ${marker}`)).toMatchObject({ exitCode: 0 })
      await rm(marker)
    })
  })

  test('2. another command under the same call', async () => {
    const call = { callId: newCallId() }
    await approve(bob, await ask('echo approved', call))
    expect(await refusal(`touch ${marker}`, call)).toBe('approval_void')
    await expectRow({ callId: call.callId, code: 'approval_void' })
  })

  test('3. an approval that was used', async () => {
    const call = { callId: newCallId() }
    const approval = await ask('echo approved', call)
    await approve(bob, approval)
    await world.handle.exec('echo approved', { ...call, approval: { ask: true } })
    const again = { callId: newCallId(), approval: { approvalId: approval.id } }
    expect(await refusal('echo approved', again)).toBe('approval_void')
    await expectRow({ callId: again.callId, code: 'approval_void' })
  })

  test('4. it on another machine', async () => {
    const approval = await ask(`touch ${marker}`, { callId: newCallId() })
    await approve(bob, approval)
    const other = await world.client.machine(world.machines[1]?.id ?? '')
    const call = { callId: newCallId(), approval: { approvalId: approval.id } }
    expect(await refusal(`touch ${marker}`, call, other)).toBe('approval_void')
    await expectRow({ callId: call.callId, code: 'approval_void' })
  })

  test('5. it with another value of a variable', async () => {
    const call = { callId: newCallId(), env: { TARGET: 'staging' } }
    await approve(bob, await ask(`touch ${marker}`, call))
    expect(await refusal(`touch ${marker}`, { ...call, env: { TARGET: 'production' } })).toBe('approval_void')
    await expectRow({ callId: call.callId, code: 'approval_void' })
  })

  test('6. it under other restrictions, or none', async () => {
    const call = { callId: newCallId() }
    await approve(bob, await ask(`touch ${marker}`, { ...call, restrictions: { noSudo: true } }))
    expect(await refusal(`touch ${marker}`, call)).toBe('approval_void')
    await expectRow({ callId: call.callId, code: 'approval_void' })
  })

  test.each([
    'sh deploy.sh',
    './deploy.sh',
    './dep"loy".sh',
    './dep\\loy.sh',
    'sh *.sh',
    'cd /; cd FOLDER && ./deploy.sh',
    'env -C FOLDER ./deploy.sh',
    'cd sub/.. && sh ./deploy.sh',
    'timeout 5 sh -c "sh ./deploy.sh"',
    'cd sub && cd .. && sh deploy.sh',
    'cd sub && cd deeper && sh run.sh',
    'cd sub; cd deeper; . ./run.sh',
    'bash ./{deploy,x}.sh',
  ])('7. a script that was changed after it was approved: %s', async (given) => {
    const script = join(folder, given.includes('deeper') ? 'sub/deeper/run.sh' : 'deploy.sh')
    await mkdir(join(folder, 'sub/deeper'), { recursive: true })
    await writeFile(script, '#!/bin/sh\necho approved\n', { mode: 0o755 })
    const call = { callId: newCallId(), cwd: folder }
    const command = given.replace('FOLDER', folder)
    await approve(bob, await ask(command, call))
    await writeFile(script, `#!/bin/sh\ntouch ${marker}\n`)
    expect(await refusal(command, call)).toBe('approval_void')
    await expectRow({ callId: call.callId, code: 'approval_void' })
  })

  test('8. what nobody approved, or used, in time', async () => {
    const { id, fleetId } = await ask(`touch ${marker}`, { callId: newCallId() })
    const approval = await world.client.approvals.get(id)
    await approve(bob, approval)
    await inDatabase((database) => {
      database.prepare('update approvals set expires_at = ? where id = ?').run(new Date().toISOString(), id)
    })
    const call = { callId: newCallId(), approval: { approvalId: id } }
    expect(await refusal(`touch ${marker}`, call)).toBe('approval_void')
    const rows = (await store.audit.list(fleetId, { limit: 9, callId: call.callId })).map(({ row }) => row.code)
    expect(rows).toEqual(['approval_void'])
  })

  test('9. what somebody of another group approved', async () => {
    const actions = [{ machineId: world.machine.id, method: 'exec', params: { command: `touch ${marker}` } }]
    const requirement = [{ from: 'owner', n: 1 }]
    const { client: alice } = await invitePerson(world, 'alice')
    const approval = await alice.approvals.request({ title: 'touch', actions, requirement })
    expect(await approve(bob, approval)).toMatchObject({ state: 'pending', votes: [{ vote: 'approve' }] })
    const machine = await alice.machine(world.machine.id)
    const call = { callId: newCallId(), approval: { approvalId: approval.id, ask: false } }
    expect(await refusal(`touch ${marker}`, call, machine)).toBe('approval_required')
    await expectRow({ callId: call.callId, code: 'approval_required' })
  })

  test('10. what the requester approved himself', async () => {
    const call = { callId: newCallId() }
    const approval = await ask(`touch ${marker}`, call)
    await expect(approve(world.client, approval)).rejects.toMatchObject({ code: 'permission' })
    await expectRow({ action: 'approval.decide', code: 'permission' })
    expect(await refusal(`touch ${marker}`, call)).toBe('approval_required')
  })

  test('10. what the requester approved with a code, or a key, that he made for another person', async () => {
    const call = { callId: newCallId() }
    const approval = await ask(`touch ${marker}`, call)
    const { id, email } = await invitePerson(world, 'carol')
    const { code } = await world.client.members.code(id)
    const { token } = await world.client.login.signIn({ email, code })
    const { rawToken: made } = await world.client.keys.issue({ name: 'carol', kind: 'human', member: id })
    for (const lent of [token, made]) {
      const message = expect.stringContaining('Who asks has made')
      await expect(approve(world.connect({ token: lent }), approval)).rejects.toMatchObject({ message })
    }
    expect(await refusal(`touch ${marker}`, call)).toBe('approval_required')
  })

  test('10. what was asked as another person, with a code that the approver had made for him', async () => {
    const dan = await invitePerson(world, 'dan', 'admin')
    const { code } = await world.client.members.code(dan.id)
    const asDan = world.connect({ token: (await world.client.login.signIn({ email: dan.email, code })).token })
    // What is made with it is in the same hands, and what that makes.
    const { rawToken: robot } = await asDan.keys.issue({ name: 'robot', kind: 'ai', role: 'admin' })
    const { rawToken: sub } = await world.connect({ token: robot }).keys.issue({ name: 'sub', kind: 'ai' })
    const { code: again } = await asDan.login.ownCode()
    const second = await world.client.login.signIn({ email: dan.email, code: again })
    for (const asker of [asDan, ...[robot, sub, second.token].map((token) => world.connect({ token }))])
      await expectNotApproved(asker)
  })

  test('10. what would be asked by another person’s operator, with its key rotated by the approver', async () => {
    const eli = await invitePerson(world, 'eli', 'admin')
    const { id } = await eli.client.keys.issue({ name: 'robot', kind: 'ai', role: 'member' })
    const message = expect.stringContaining('acts for somebody else')
    await expect(world.client.keys.rotate(id)).rejects.toMatchObject({ code: 'permission', message })
    await expectRow({ action: 'key.issue', code: 'permission' })
  })

  async function expectNotApproved(asker: Client): Promise<void> {
    const command = `touch ${marker}`
    const actions = [{ machineId: world.machine.id, method: 'exec', params: { command } }]
    const approval = await asker.approvals.request({ title: 'touch', actions })
    const message = expect.stringContaining('a key or code that you made')
    await expect(approve(world.client, approval)).rejects.toMatchObject({ code: 'permission', message })
    const handle = await asker.machine(world.machine.id)
    const call = { callId: newCallId(), approval: { approvalId: approval.id } }
    expect(await refusal(command, call, handle)).toBe('approval_required')
    expect(await approve(bob, approval)).toMatchObject({ state: 'approved' })
  }

  test('11. what an AI, or a service, approved', async () => {
    const call = { callId: newCallId() }
    const approval = await ask(`touch ${marker}`, call)
    for (const kind of ['ai', 'service'] as const) {
      const { rawToken: token } = await world.client.keys.issue({ name: kind, kind, role: 'admin' })
      const message = expect.stringContaining('Only a person')
      await expect(approve(world.connect({ token }), approval)).rejects.toMatchObject({ code: 'permission', message })
    }
    expect(await refusal(`touch ${marker}`, call)).toBe('approval_required')
  })

  test('12. what a resumed run makes of a call that was approved', async () => {
    await rm(marker, { force: true })
    const command = (text: string) => ({ calls: [{ tool: 'run_command', input: { command: text } }] })
    const journal = createRelayJournal(world.client.runs)
    const script = join(folder, 'step.sh')
    await writeFile(script, 'echo approved')
    const model = scriptedModel([command(`sh ${script}`), { text: 'done' }])
    const agent = createAgent({ machine: world.handle, model, journal })
    const approval = { ask: 'changes', wait: false } as const
    const stopped = (await agent.run('Step', { approval }).then(undefined, (error: unknown) => error)) as {
      result: { runId: string; approvals: { approvalId: string }[] }
    }
    const asked = await world.client.approvals.get(stopped.result.approvals[0]?.approvalId ?? '')
    await approve(bob, asked)
    // Whoever resumes finds the same call; what it runs by now is another one.
    await writeFile(script, `touch ${marker}`)
    const result = await agent.resume(stopped.result.runId)
    expect(result.toolCalls).toMatchObject([{ isError: true, output: expect.stringContaining('approval_void') }])
    await expect(world.handle.files.stat(marker)).rejects.toMatchObject({ code: 'not_found' })
    await expectRow({ action: 'exec', code: 'approval_void' })
  })
})
