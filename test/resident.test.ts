import { access, writeFile } from 'node:fs/promises'
import type { AskFrame, AskStream } from '@cmdop/core'
import { expect, test } from 'vitest'
import { clientOf, runs, startAsked, until } from './asked-world.ts'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { invitePerson } from './people.ts'
import { waitFor } from './wait-for.ts'
import { startWorld } from './world.ts'
import { z } from 'zod'

const exists = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  )

/** The frames of an ask; the first with a running command lets `then` act. */
async function framesOf(
  ask: AskStream,
  then: (frame: AskFrame) => Promise<void> = async () => {},
): Promise<AskFrame[]> {
  const frames: AskFrame[] = []
  for await (const frame of ask) {
    frames.push(frame)
    await then(frame)
  }
  return frames
}

test('an ask runs a command on its machine and streams what happens, then the text', async () => {
  await using asked = await startAsked([
    { thinking: 'I look.', ...runs('echo from-here') },
    { text: 'It said from-here.' },
  ])
  const { client, machine } = asked.world
  const ask = client.machines.ask(machine.name, 'Look')
  const frames = await framesOf(ask)
  const events = frames.filter((frame) => frame.type === 'event')
  const names = events.map(({ event }) => event)
  expect(names.filter((name, index) => name !== names[index - 1])).toEqual([
    'thinking',
    'usage',
    'tool_call',
    'tool_output',
    'tool_result',
    'text',
    'usage',
  ])
  const call = events.find(({ event }) => event === 'tool_call')
  expect(call).toMatchObject({ eventType: 1, payload: { tool: 'run_command' } })
  expect(frames.at(-1)).toMatchObject({ type: 'done', success: true, text: 'It said from-here.', tokensIn: 20 })
  expect(asked.server.requests[1]?.toolResults[0]).toContain('from-here')
  expect(frames.map(({ id }) => id)).toEqual(frames.map((_, index) => `${ask.callId}.${index + 1}`))
  await expect(ask.collect()).rejects.toMatchObject({ code: 'conflict' })

  // Each call of the operator was authorised, written down and permitted as one of who asked.
  const store = await asked.world.openStore()
  const { fleetId, principalId } = await client.me()
  const rows = await waitFor('the outcome of the command is written', async () => {
    const all = (await store.audit.list(fleetId, { limit: 500 })).map(({ row }) => row)
    const own = all.filter(({ requestId, action }) => requestId === ask.callId && action === 'exec')
    return own.some(({ kind }) => kind === 'outcome') && own
  })
  expect(rows[0]).toMatchObject({ kind: 'intent', decision: 'allow', principalId, machineId: machine.id })
  expect(rows.find(({ kind }) => kind === 'outcome')).toMatchObject({ intentId: rows[0]?.id, exitCode: 0, code: null })
})

test('an ask is a run in the journal on the relay, of who asked, with each step and call', async () => {
  await using asked = await startAsked([runs('echo from-here'), { text: 'It said from-here.' }])
  const { client, machine } = asked.world
  const ask = client.machines.ask(machine.name, 'Look')
  await ask.collect()
  const { items } = await client.runs.list()
  const { principalId } = await client.me()
  expect(items).toMatchObject([
    { askId: ask.callId, machineId: machine.id, principalId, agentType: 'terminal', state: 'completed', title: 'Look' },
  ])
  const entries = await Array.fromAsync(client.runs.entries(items[0]?.runId ?? ''), ({ entry }) => entry)
  expect(entries.map(({ type }) => type)).toEqual([
    'run_started',
    'step_started',
    'step_ended',
    'call_started',
    'call_ended',
    'step_started',
    'step_ended',
    'run_ended',
  ])
  expect(JSON.stringify(entries)).toContain('from-here')
})

test('collect gives the text, and throws what an ask failed with', async () => {
  await using asked = await startAsked([{ text: 'Fine.' }, { status: 400 }])
  const { client, machine } = asked.world
  expect(await client.machines.ask(machine.id, 'How are you?').collect()).toBe('Fine.')
  await expect(client.machines.ask(machine.id, 'And now?').collect()).rejects.toMatchObject({ code: 'model' })
  await expect(client.machines.ask('nowhere', 'Hello').collect()).rejects.toMatchObject({ code: 'not_found' })
})

test('without a provider the model is the built-in one, and says so', async () => {
  await using world = await startWorld({ operator: { env: {} } })
  const schema = z.object({ hostname: z.string() })
  const ask = world.client.machines.ask(world.machine.id, 'Check its health', { outputSchema: schema })
  const { hostname } = await world.handle.facts()
  expect((await framesOf(ask)).at(-1)).toMatchObject({ type: 'done', model: 'cmdop:facts', output: { hostname } })
  await expect(world.client.machines.ask(world.machine.id, 'uptime').collect()).rejects.toMatchObject({
    code: 'model_refused',
    message: expect.stringContaining('ANTHROPIC_API_KEY'),
  })
})

test('a viewer may not ask', async () => {
  await using asked = await startAsked([])
  const viewer = await clientOf(asked.world, 'viewer')
  const denied = viewer.machines.ask({ id: asked.world.machine.id }, 'Look').collect()
  await expect(denied).rejects.toMatchObject({ code: 'permission' })
})

test('a second ask while one runs is a conflict, and one of another principal cannot be touched', async () => {
  const mark = `/tmp/${newMark()}`
  await using asked = await startAsked([runs(until(mark)), { text: 'Done.' }])
  const { client, machine, relay } = asked.world
  const member = await clientOf(asked.world, 'member')
  const ask = client.machines.ask(machine.id, 'Wait')
  await framesOf(ask, async (frame) => {
    if (frame.type !== 'event' || frame.event !== 'tool_call') return
    await expect(member.machines.ask(machine.id, 'Me too').collect()).rejects.toMatchObject({ code: 'conflict' })
    const path = `${relay.url}/api/machines/${machine.id}/ask/${ask.callId}`
    for (const method of ['GET', 'DELETE']) {
      const { status } = await fetch(path, { method, headers: { authorization: `Bearer ${member.token}` } })
      expect(status).toBe(404)
    }
    await writeFile(mark, '')
  })
})

test('leaving the loop ends the command and what it started', async () => {
  const mark = newMark()
  await using asked = await startAsked([runs(`MARK=${mark} sleep 1000 & MARK=${mark} sleep 1000`)])
  const { client, machine } = asked.world
  for await (const frame of client.machines.ask(machine.id, 'Wait')) {
    if (frame.type !== 'event' || frame.event !== 'tool_call') continue
    await whenRunning(mark, 2)
    break
  }
  await whenGone(mark)
  expect((await client.machines.messages(machine.id)).messages.at(-1)).toMatchObject({ success: false })
  const { items } = await client.sessions.list()
  expect(items).toEqual([])
})

test('a revoked key ends its ask at once', async () => {
  const mark = newMark()
  await using asked = await startAsked([runs(`MARK=${mark} sleep 1000`)])
  const { client, machine } = asked.world
  const { id, rawToken: token } = await client.keys.issue({ name: 'short', role: 'member' })
  const ended = asked.world.connect({ token }).machines.ask(machine.id, 'Wait').collect()
  ended.catch(() => {})
  await whenRunning(mark)
  await client.keys.revoke(id)
  await whenGone(mark)
  await expect(ended).rejects.toMatchObject({ code: 'auth' })
})

test('a person whose role is lowered, or who is removed, loses the ask and what its operator runs at once', async () => {
  const mark = newMark()
  await using asked = await startAsked([runs(`MARK=${mark} sleep 1000`), runs(`MARK=${mark} sleep 1000`)])
  const { world } = asked
  const { client, machine } = world
  for (const [name, take] of [
    ['lowered', (id: string) => client.members.setRole(id, 'viewer')],
    ['removed', (id: string) => client.members.remove(id)],
  ] as const) {
    const person = await invitePerson(world, name)
    const ended = person.client.machines.ask(machine.id, 'Wait').collect()
    ended.catch(() => {})
    await whenRunning(mark)
    await take(person.id)
    await whenGone(mark, 1000)
    await expect(ended).rejects.toMatchObject({ code: name === 'lowered' ? 'permission' : 'auth' })
  }
})

test('a conversation goes on over asks and a restart of the daemon, until it is cleared', async () => {
  await using asked = await startAsked((request, index) => ({ text: `answer ${index}` }))
  const { client, machine } = asked.world
  const { machines } = client
  expect(await machines.activeSession(machine.id)).toBe('')
  const first = (await framesOf(machines.ask(machine.id, 'I am Ann.'))).at(-1)
  const sessionId = first?.type === 'done' ? first.sessionId : ''
  await machine.restart()
  await asked.world.whenOnline(machine)
  await machines.ask(machine.id, 'Who am I?', { sessionId }).collect()
  expect(JSON.stringify(asked.server.requests[1]?.body)).toContain('I am Ann.')
  expect(await machines.activeSession(machine.id)).toBe(sessionId)
  const { messages } = await machines.messages(machine.id)
  expect(messages.map(({ role, text }) => `${role}: ${text}`)).toEqual([
    'user: I am Ann.',
    'assistant: answer 0',
    'user: Who am I?',
    'assistant: answer 1',
  ])
  const member = await clientOf(asked.world, 'member')
  expect((await member.machines.messages(machine.id)).messages).toEqual([])
  expect(await machines.clearMessages(machine.id)).toEqual({ agentSessionId: sessionId, deleted: 4 })
  await machines.ask(machine.id, 'Still there?', { sessionId }).collect()
  expect(JSON.stringify(asked.server.requests[2]?.body)).not.toContain('I am Ann.')
})

test('what asks cost adds up', async () => {
  const prices = { 'openai-compatible:fake': { input: 1_000_000, output: 2_000_000 } }
  await using asked = await startAsked([{ text: 'One.' }, runs('true'), { text: 'Two.' }], { operator: { prices } })
  const { client, machine } = asked.world
  await client.machines.ask(machine.id, 'One').collect()
  await client.machines.ask(machine.id, 'Two').collect()
  expect(await client.machines.spend(machine.id, { window: '24h' })).toEqual({
    window: '24h',
    totalUsd: 60,
    deltaUsd: 60,
    deltaPct: null,
    tokensIn: 30,
    tokensOut: 15,
    calls: 3,
    ocrPages: 0,
    topModels: [{ model: 'openai-compatible:fake', usd: 60, pct: 100 }],
  })
})

test('what has to be confirmed runs only once it is, and a rejection ends the ask', async () => {
  const mark = `/tmp/${newMark()}`
  const turns = [runs(`echo yes > ${mark}`), { text: 'Done.' }, runs(`rm -rf ${mark}`), runs(`rm ${mark}`)]
  await using asked = await startAsked(turns)
  const { machines } = asked.world.client
  const { id } = asked.world.machine
  const options = { confirm: 'changes' } as const
  const accepted = machines.ask(id, 'Write', options)
  const frames = await framesOf(accepted, async (frame) => {
    if (frame.type !== 'confirm_required') return
    expect(frame).toMatchObject({ tool: 'run_command', dangerLevel: 'high', plan: expect.stringContaining(mark) })
    expect(await exists(mark)).toBe(false)
    await accepted.confirm(frame.token, true)
    await expect(accepted.confirm(frame.token, true)).rejects.toMatchObject({ code: 'not_found' })
  })
  expect(frames.at(-1)).toMatchObject({ type: 'done', success: true })
  const rejected = machines.ask(id, 'Remove', options)
  const end = await framesOf(rejected, async (frame) => {
    if (frame.type !== 'confirm_required') return
    expect(frame).toMatchObject({ dangerLevel: 'high' })
    await rejected.confirm(frame.token, false)
  })
  expect(end.at(-1)).toMatchObject({ type: 'done', success: false, error: expect.stringContaining('rejected') })
  await expect(machines.ask(id, 'Remove', options).collect()).rejects.toMatchObject({ code: 'permission' })
  expect(await exists(mark)).toBe(true)
})
