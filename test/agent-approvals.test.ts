import { createAgent, createRelayJournal, type RunEvent } from '@cmdop/agent'
import { type ScriptedModel, scriptedModel } from '@cmdop/agent/testing'
import { tool } from 'ai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

const command = (text: string) => ({ calls: [{ tool: 'run_command', input: { command: text } }] })
const answer = { text: 'done' }
const toldTo = ({ seen }: ScriptedModel) =>
  seen
    .at(-1)
    ?.toolResults.map(({ text }) => text)
    .join()

/** The one question that is open. */
async function question() {
  return waitFor('the question is there', async () => {
    const { items } = await world.client.approvals.list({ state: 'pending' })
    return items[0] === undefined ? undefined : world.client.approvals.get(items[0].id)
  })
}

describe('a run that asks people', () => {
  test('waits, tells who asks and for whom, and goes on', async () => {
    const model = scriptedModel([command('echo hello'), answer])
    const agent = createAgent({ machine: world.handle, model })
    const events: RunEvent[] = []
    const run = agent.runStream('Say hello', { approval: 'changes' })
    const ended = (async () => {
      for await (const event of run) events.push(event)
    })()
    const approval = await question()
    expect(approval).toMatchObject({
      requesterKind: 'ai',
      agentType: 'terminal',
      model: expect.stringContaining('scripted'),
      runId: expect.any(String),
      onBehalfOf: expect.any(String),
      rule: 'caller',
    })
    expect(approval.actions).toMatchObject([{ text: 'echo hello' }])
    await world.client.approvals.approve(approval.id, { planDigest: approval.planDigest })
    await ended
    expect(events.filter(({ type }) => type === 'approval')).toMatchObject([
      { state: 'pending' },
      { state: 'approved' },
    ])
    expect(events.at(-1)).toMatchObject({ type: 'result', output: 'done' })
    expect(events.find((event) => event.type === 'tool_result' && event.final)).toMatchObject({
      output: { stdout: 'hello\n' },
    })
  })

  test('gives the model the reason of a rejection, and is not asked again for the same', async () => {
    const model = scriptedModel([command('echo no'), command('echo no'), answer])
    const run = createAgent({ machine: world.handle, model }).run('Say no', { approval: 'always' })
    const approval = await question()
    await world.client.approvals.deny(approval.id, { reason: 'It is Friday.' })
    const result = await run
    expect(result.denied).toMatchObject([{ rule: 'rejected', reason: expect.stringContaining('It is Friday.') }])
    expect(toldTo(model)).toContain('Do not ask for it again')
    expect(result.toolCalls.map(({ outcome }) => outcome)).toEqual(['denied', 'denied'])
  })

  test('tells the model what a person changed', async () => {
    const model = scriptedModel([command('export NAME=ada'), command('echo one $NAME'), answer])
    const run = createAgent({ machine: world.handle, model }).run('Say', {
      approval: ({ input }) => JSON.stringify(input).includes('echo'),
    })
    const approval = await question()
    const edited = { command: 'echo two $NAME' }
    await world.client.approvals.approve(approval.id, { planDigest: approval.planDigest, edited })
    const { toolCalls } = await run
    expect(toolCalls[1]).toMatchObject({
      output: { stdout: 'two ada\n' },
      input: { command: 'echo two $NAME' },
      proposedInput: { command: 'echo one $NAME' },
    })
    expect(toldTo(model)).toContain('A person changed the input')
  })

  test('ends as needs_approval where it does not wait, and goes on once people have decided', async () => {
    const model = scriptedModel([command('echo later'), answer])
    const journal = createRelayJournal(world.client.runs)
    const agent = createAgent({ machine: world.handle, model, journal })
    const stopped = await agent
      .run('Say', { approval: { ask: 'changes', wait: false } })
      .then(undefined, (error: unknown) => error)
    expect(stopped).toMatchObject({ result: { status: 'needs_approval' } })
    const approval = await question()
    expect((stopped as { result: { approvals: unknown[] } }).result.approvals).toMatchObject([
      { approvalId: approval.id },
    ])
    await world.client.approvals.approve(approval.id, { planDigest: approval.planDigest })
    const result = await agent.resume((stopped as { result: { runId: string } }).result.runId)
    expect(result.toolCalls).toMatchObject([{ output: { stdout: 'later\n' } }])
  })

  test('goes on after its plan was approved, in the version of who approved it', async () => {
    const model = scriptedModel([{ calls: [{ tool: 'final_result', input: { steps: ['a', 'b'] } }] }])
    const agent = createAgent({ machine: world.handle, model })
    const plan = await agent.run('Plan', { outputSchema: z.object({ steps: z.array(z.string()) }) })
    const asked = agent.getHumanApproval(plan, { title: 'Migrate' })
    const approval = await question()
    expect(approval).toMatchObject({ title: 'Migrate', runId: plan.runId, requesterKind: 'ai' })
    const edited = { input: { steps: ['a'] } }
    await world.client.approvals.approve(approval.id, { planDigest: approval.planDigest, edited })
    expect(await asked).toMatchObject({ approved: true, output: { steps: ['a'] } })
    const again = agent.getHumanApproval(plan)
    const second = await question()
    await world.client.approvals.deny(second.id, { reason: 'Not yet.' })
    expect(await again).toMatchObject({ approved: false, reason: 'Not yet.' })
  })

  test('asks about a tool of its own, which only the run can hold to it', async () => {
    const done: unknown[] = []
    const pay = tool({
      description: 'Pays.',
      inputSchema: z.object({ amount: z.number() }),
      execute: async ({ amount }) => {
        done.push(amount)
        return 'paid'
      },
    })
    const model = scriptedModel([{ calls: [{ tool: 'pay', input: { amount: 7 } }] }, answer])
    const run = createAgent({ machine: world.handle, model }).run('Pay', { tools: { pay }, approval: 'changes' })
    const approval = await question()
    expect(done).toEqual([])
    expect(approval.actions).toMatchObject([{ method: 'tool', params: { tool: 'pay', input: { amount: 7 } } }])
    await world.client.approvals.approve(approval.id, { planDigest: approval.planDigest })
    await run
    expect(done).toEqual([7])
  })
})
