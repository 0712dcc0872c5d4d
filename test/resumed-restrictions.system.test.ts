import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createAgent, type RunError } from '@cmdop/agent'
import { scriptedModel, type ScriptedCall, type ScriptedStep } from '@cmdop/agent/testing'
import type { EffectSummary, RestrictionsInput } from '@cmdop/core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { startWorld, type World } from './world.ts'

let world: World
/** A folder with a file `kept`. */
let folder = ''
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  folder = await world.folder()
  await writeFile(join(folder, 'kept'), 'kept\n')
})

const shell = (command: string): ScriptedCall => ({ tool: 'run_command', input: { command } })
const done: ScriptedStep = { text: 'Done.' }
const names = async () => (await readdir(folder)).toSorted()

/** An agent whose model makes these calls one after the other, with what it was shown of each. */
function scripted(calls: readonly ScriptedCall[], restrictions?: RestrictionsInput) {
  const model = scriptedModel([...calls.map((call) => ({ calls: [call] })), done])
  const agent = createAgent({ machine: world.handle, model, env: {}, restrictions })
  const results = () => model.seen.at(-1)?.toolResults ?? []
  return { agent, model, results, [Symbol.dispose]: () => model.assertComplete() }
}

/** The changes of an effect, by kind and name in the folder. */
async function changes({ effectId }: Pick<EffectSummary, 'effectId'>): Promise<string[]> {
  const { list } = await world.handle.effects.get(effectId)
  const all = list?.effects.map(({ kind, path }) => `${kind} ${path.replace(`${folder}/`, '')}`)
  return all?.toSorted() ?? []
}

/** A run whose model made this call, and was away then. */
async function stopped(call: ScriptedCall, restrictions?: RestrictionsInput): Promise<RunError['result']> {
  using model = scriptedModel([{ calls: [call] }, { error: new Error('The model is away.') }])
  const agent = createAgent({ machine: world.handle, model, env: {}, maxRetries: 0 })
  const error = (await agent.run('Change it', { restrictions }).catch((reason) => reason)) as RunError
  expect(error.code).toBe('model')
  return error.result
}

test('a run that stopped goes on in its view, under what it began with', async () => {
  const { runId, effects, sessionId } = await stopped(shell(`cd '${folder}'; mv kept moved`), { dryRun: true })
  expect(effects).toMatchObject([{ effectId: sessionId, state: 'open' }])
  using script = scripted([shell('ls; echo more >more')])
  // One that cannot go on with it leaves its view alone.
  const outputSchema = z.object({ other: z.string() })
  await expect(script.agent.resume(runId, { outputSchema })).rejects.toMatchObject({ code: 'conflict' })
  const resumed = await script.agent.resume(runId)
  expect(script.results().at(-1)?.text).toContain('moved\n')
  expect(resumed.effects).toMatchObject([{ effectId: sessionId, state: 'pending' }])
  const [effect = expect.fail('It has no effect.')] = resumed.effects
  expect(await changes(effect)).toEqual(['added more', 'moved moved'])
  expect(await names()).toEqual(['kept'])
})

test('a run that stopped does not go on where its view is gone, and nothing of it is applied', async () => {
  const { runId, sessionId } = await stopped(shell(`rm '${folder}/kept'`), { dryRun: true })
  await (await world.handle.sessions.get(sessionId ?? '')).close()
  using model = scriptedModel([])
  const agent = createAgent({ machine: world.handle, model, env: {} })
  await expect(agent.resume(runId)).rejects.toMatchObject({ code: 'session_lost' })
  expect(await names()).toEqual(['kept'])
})

test('a run that stopped has the effects of before and after, also when it is looked at once more', async () => {
  const { runId } = await stopped(shell(`touch '${folder}/one'`), { noDelete: true })
  using script = scripted([{ tool: 'write_file', input: { path: join(folder, 'two'), content: '' } }])
  const { effects } = await script.agent.resume(runId)
  expect(await Promise.all(effects.map(changes))).toEqual([['added one'], ['added two']])
  expect((await script.agent.resume(runId)).effects).toEqual(effects)
  expect((await script.agent.replay(runId)).effects).toEqual(effects)
})

test('a run that stopped is held by those of the agent that goes on with it, too', async () => {
  const { runId } = await stopped(shell('export WORD=open'))
  using script = scripted([shell('true'), shell(`rm -f '${folder}/kept'`)], { readOnly: true })
  await script.agent.resume(runId)
  // In another session: what held in the first one is fixed.
  expect(script.results()[1]?.text).toContain('the variables that earlier commands exported are gone')
  expect(await names()).toEqual(['kept'])
})

test('the machine remembers of a refused command what it put out, and says it beside the refusal', async () => {
  const callId = `call_${crypto.randomUUID()}`
  const options = { callId, restrictions: { noDelete: true } }
  const running = world.handle.exec(`echo before; rm '${folder}/kept'`, options)
  await expect(running).rejects.toMatchObject({ code: 'restriction_violated' })
  const error: unknown = await world.handle.execResult(callId).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'restriction_violated', result: { stdout: 'before\n', exitCode: 0 } })
  // What it put out may be anything, and details are shown.
  expect((error as RunError).details).not.toHaveProperty('stdout')
  expect(await names()).toEqual(['kept'])
})
