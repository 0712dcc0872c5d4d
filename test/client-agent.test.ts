import type { RunError } from '@cmdop/agent'
import { scriptedModel, type ScriptedStep } from '@cmdop/agent/testing'
import { Client } from 'cmdop'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { startAsked } from './asked-world.ts'
import { newMark, whenRunning } from './marked.ts'
import { startWorld, type World } from './world.ts'

const looks: ScriptedStep = { calls: [{ tool: 'run_command', input: { command: ['hostname'] } }] }
const waits = (mark: string): ScriptedStep => ({
  calls: [
    { tool: 'run_command', input: { command: `until [ -e /tmp/${mark} ]; do sleep 0.02; done; rm /tmp/${mark}` } },
  ],
})
const says: ScriptedStep = { text: 'Done.' }

/** A client of the bundle whose runs have this model. */
function clientOf({ relay }: World, model: ReturnType<typeof scriptedModel>): Client {
  return new Client({ baseUrl: relay.url, token: relay.firstKey, agent: { model } })
}

/** Machines on which a run has a session, by name. */
async function workedOn({ client }: World): Promise<string[]> {
  const { items } = await client.sessions.list({ ended: true })
  return items.filter(({ kind }) => kind === 'run').map(({ machineName }) => machineName)
}

test('a run works on the machine that was set last, and its output is the text where there is no schema', async () => {
  await using world = await startWorld({ machines: 2 })
  using model = scriptedModel([looks, says, looks, { calls: [{ tool: 'final_result', input: { up: true } }] }])
  await using client = clientOf(world, model)
  await client.terminal.setMachine('machine-1')
  expect(await client.agent.run('Look')).toMatchObject({ status: 'completed', output: 'Done.' })
  expect(await workedOn(world)).toEqual(['machine-1'])
  await client.terminal.getActiveSession('machine-0')
  const { output } = await client.agent.run('Look', { outputSchema: z.object({ up: z.boolean() }) })
  expect(output.up).toBe(true)
  expect((await workedOn(world)).toSorted()).toEqual(['machine-0', 'machine-1'])
})

test('a run works on the machine it is given, and leaves the one that is set alone', async () => {
  await using world = await startWorld({ machines: 2 })
  using model = scriptedModel([looks, says])
  await using client = clientOf(world, model)
  await client.terminal.setMachine('machine-0')
  await client.agent.run('Look', { machine: await client.machine('machine-1') })
  expect(await workedOn(world)).toEqual(['machine-1'])
  expect(client.terminal.machine?.name).toBe('machine-0')
})

test('a run without a machine is an error, and nothing is sent', async () => {
  await using world = await startWorld()
  using model = scriptedModel([])
  await using client = clientOf(world, model)
  await expect(client.agent.run('Look')).rejects.toMatchObject({ code: 'config' })
  expect(() => client.agent.runStream('Look')).toThrow('No machine is set')
})

test('the machine stays while a run works on it, and can be changed after', async () => {
  await using world = await startWorld({ machines: 2 })
  const mark = newMark()
  using model = scriptedModel([waits(mark), says, looks, says])
  await using client = clientOf(world, model)
  const first = await client.terminal.setMachine('machine-0')
  const stays = async (): Promise<void> => {
    await expect(client.terminal.setMachine('machine-1')).rejects.toMatchObject({ code: 'conflict' })
    await expect(client.terminal.getActiveSession('machine-1')).rejects.toMatchObject({ code: 'conflict' })
    expect(client.terminal.machine?.name).toBe('machine-0')
  }
  const running = client.agent.run('Wait')
  await whenRunning(mark)
  await stays()
  await first.exec(['touch', `/tmp/${mark}`])
  await running
  for await (const event of client.agent.runStream('Look')) if (event.type === 'tool_call') await stays()
  expect((await client.terminal.setMachine('machine-1')).name).toBe('machine-1')
})

test('a stream that nobody looks at holds nothing, and one that is left lets go', async () => {
  await using world = await startWorld({ machines: 2 })
  const mark = newMark()
  using model = scriptedModel([waits(mark)])
  await using client = clientOf(world, model)
  await client.terminal.setMachine('machine-0')
  client.agent.runStream('Never looked at')
  await client.terminal.setMachine('machine-1')
  for await (const event of client.agent.runStream('Wait')) if (event.type === 'tool_call') break
  await client.terminal.setMachine('machine-0')
  expect(await workedOn(world)).toEqual([])
})

test('events of a stream have content, tool and output, and its result is that of its last event', async () => {
  await using world = await startWorld()
  using model = scriptedModel([{ thinking: 'I look.', ...looks }, says])
  await using client = clientOf(world, model)
  await client.terminal.setMachine('machine-0')
  const stream = client.agent.runStream('Look')
  const seen: string[] = []
  for await (const event of stream) {
    if (event.type === 'thinking') seen.push(event.content)
    if (event.type === 'tool_call') seen.push(event.tool)
    if (event.type === 'result') seen.push(event.output)
  }
  expect(seen).toEqual(['I look.', 'run_command', 'Done.'])
  expect(await stream.result).toMatchObject({ output: 'Done.' })
})

test('a run goes on, is played, and a talk is kept, on the machine that is set', async () => {
  await using world = await startWorld()
  using model = scriptedModel([looks, { error: new Error('Away.') }, says, { text: 'Hello.' }, { text: 'Again.' }])
  const agent = { model, maxRetries: 0 }
  await using client = new Client({ baseUrl: world.relay.url, token: world.relay.firstKey, agent })
  await client.terminal.setMachine(world.machine.name)
  const stopped = (await client.agent.run('Look').catch((reason: unknown) => reason)) as RunError
  const resumed = await client.agent.resume(stopped.result.runId)
  expect(resumed).toMatchObject({ output: 'Done.', runId: stopped.result.runId })
  expect((await client.agent.replay(resumed.runId)).output).toBe('Done.')
  const talk = client.agent.conversation()
  await talk.send('Hello?')
  const kept = JSON.parse(JSON.stringify(talk.kept)) as typeof talk.kept
  const machine = await client.machine(world.machine.name)
  expect((await client.agent.conversation({ machine }, kept).send('And now?')).output).toBe('Again.')
  expect(model.seen.at(-1)?.userTexts).toEqual(['Hello?', 'And now?'])
})

test('ask_machine gives a task to the operator of another machine, through the relay', async () => {
  await using asked = await startAsked([{ text: 'All is well on db.' }], { machines: 2 })
  const call = { tool: 'ask_machine', input: { machine: 'machine-1', prompt: 'Are you well?' } }
  using model = scriptedModel([{ calls: [call] }, says])
  await using client = clientOf(asked.world, model)
  await client.terminal.setMachine('machine-0')
  await client.agent.run('Ask it')
  expect(model.seen[1]?.toolResults[0]?.text).toMatch(/source="answer of machine-1.*\nAll is well on db\./s)
  const { items } = await client.runs.list()
  const names = new Map(asked.world.machines.map(({ id, name }) => [id, name]))
  const machinesOf = (isAsk: boolean) =>
    items.flatMap(({ machineId, askId }) => ((askId !== null) === isAsk ? [names.get(machineId)] : []))
  expect([machinesOf(false), machinesOf(true)]).toEqual([['machine-0'], ['machine-1']])
})
