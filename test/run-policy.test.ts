import { createAgent, createMemoryJournal, type RunOptions } from '@cmdop/agent'
import { type ScriptedStep, scriptedModel } from '@cmdop/agent/testing'
import type { RunPolicy } from '@cmdop/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

const noDates = {
  id: 'no-dates',
  decision: 'deny',
  reason: 'Time is not told here.',
  command: { name: 'date' },
  match: ['date -u'],
  notMatch: ['uptime'],
}
const askEcho = { id: 'ask-echo', decision: 'ask', command: { name: 'echo' }, match: ['echo x'], notMatch: ['date'] }
const policy: RunPolicy = { rules: [noDates, askEcho] }

const command = (text: string) => ({ calls: [{ tool: 'run_command', input: { command: text } }] })
const agentOf = (...steps: ScriptedStep[]) =>
  createAgent({ machine: world.handle, model: scriptedModel([...steps, { text: 'done' }]) })
/** What became of its commands, and the rules that denied. */
const run = async (options: RunOptions, ...commands: string[]) => {
  const { toolCalls, denied } = await agentOf(...commands.map(command)).run('Look', options)
  return [toolCalls.map(({ outcome }) => outcome), denied.map(({ rule }) => rule)]
}

describe('the policy of a run', () => {
  test('denies what it says, in this run alone', async () => {
    expect(await run({ policy }, 'date', 'env TZ=UTC date')).toEqual([
      ['denied', 'denied'],
      ['run:no-dates', 'run:no-dates'],
    ])
    expect(await run({}, 'date', 'echo x')).toEqual([['done', 'done'], []])
    expect(await run({ policy: { rules: [askEcho] } }, 'date')).toEqual([['done'], []])
  })

  test('is as strict as it says, and never less than that of the fleet', async () => {
    expect(await run({ policy: { mode: 'strict' } }, 'uptime')).toEqual([['denied'], ['mode:strict']])
    const { version } = await world.client.policy.get()
    await world.client.policy.set({ policy: { mode: 'strict' }, version })
    expect(await run({ policy: { mode: 'default' } }, 'uptime')).toEqual([['denied'], ['mode:strict']])
    await world.client.policy.set({ policy: { mode: 'bypass' }, version: version + 1 })
  })

  test('holds once the run is resumed', async () => {
    const agent = agentOf(command('echo one'), command('date'))
    const stopped = await agent
      .run('Say', { policy, approval: { wait: false } })
      .then(undefined, (error: unknown) => error)
    const { runId, approvals } = (stopped as { result: { runId: string; approvals: { approvalId: string }[] } }).result
    const asked = await world.client.approvals.get(approvals[0]?.approvalId ?? '')
    expect(asked).toMatchObject({ rule: 'run:ask-echo', runId: runId })
    await world.client.approvals.approve(asked.id, { planDigest: asked.planDigest })
    const { toolCalls, denied } = await agent.resume(runId)
    expect(toolCalls).toMatchObject([{ output: { stdout: 'one\n' } }, { outcome: 'denied' }])
    expect(denied).toMatchObject([{ rule: 'run:no-dates' }])
  })

  test('judges what a person makes of a call, and a plan of the run', async () => {
    const agent = agentOf(command('echo one'))
    const stopped = await agent
      .run('Say', { policy, approval: { wait: false } })
      .then(undefined, (error: unknown) => error)
    const { runId, approvals } = (stopped as { result: { runId: string; approvals: { approvalId: string }[] } }).result
    const { id, planDigest } = await world.client.approvals.get(approvals[0]?.approvalId ?? '')
    const denied = { code: 'policy_denied', details: { rule: 'run:no-dates' } }
    const edited = world.client.approvals.approve(id, { planDigest, edited: { command: 'date' } })
    await expect(edited).rejects.toMatchObject(denied)
    const actions = [{ machineId: world.machine.id, method: 'exec', params: { command: 'date' } }]
    const about = { runId: runId, agentType: 'terminal', model: 'scripted' }
    await expect(world.client.approvals.request({ title: 'Date', actions, ...about })).rejects.toMatchObject(denied)
    await world.client.approvals.deny(id)
  })

  test('allows nothing, and is refused with what is wrong in it before anything runs', async () => {
    const wrong: [object, string, string][] = [
      [{ rules: [{ ...noDates, decision: 'allow' }] }, 'validation', 'no-dates'],
      [{ rules: [{ ...noDates, match: ['uptime'], notMatch: ['date'] }] }, 'validation', 'no-dates'],
      [{ rules: [{ id: 'x' }] }, 'validation', 'policy of the run'],
      [{ mode: 'bypass' }, 'validation', 'policy of the run'],
      [{ rules: Array.from({ length: 201 }, (_, index) => ({ ...noDates, id: `r${index}` })) }, 'validation', '200'],
      [{ rules: [{ ...noDates, reason: 'x'.repeat(70_000) }] }, 'validation', 'bytes'],
    ]
    for (const [given, code, message] of wrong)
      await expect(run({ policy: given }, 'date')).rejects.toMatchObject({
        code,
        message: expect.stringContaining(message),
      })
  })

  test('is refused where the relay does not know the run', async () => {
    const model = scriptedModel([])
    for (const journal of [false, createMemoryJournal()] as const) {
      const refused = createAgent({ machine: world.handle, model, journal }).run('Look', { policy })
      await expect(refused).rejects.toMatchObject({ code: 'unsupported' })
    }
  })
})
