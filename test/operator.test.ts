import { createAgent, RunError } from '@cmdop/agent'
import { cassette, scriptedModel, startModelServer, wireNames } from '@cmdop/agent/testing'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { startWorld } from './world.ts'

const Answer = z.object({ word: z.string(), lines: z.int().min(1) })

describe('an operator over relay and machine', () => {
  test('is recorded once, with its session in sight, and replayed where there is no machine', async () => {
    await using world = await startWorld()
    const file = join(await world.folder(), 'tape.json')
    const calls = ['export WORD=kept', 'echo "$WORD"'].map((command) => ({ tool: 'run_command', input: { command } }))
    using model = scriptedModel([{ calls: [...calls, { tool: 'facts', input: {} }] }, { text: 'done' }])
    {
      using tape = cassette(file, { record: model })
      const machine = tape.machine(world.handle)
      const agent = createAgent({ machine, model: tape.model })
      await expect(agent.run('Go', { restrictions: { dryRun: true } })).rejects.toMatchObject({ code: 'unsupported' })
      expect((await agent.run('Go')).sessionId).not.toBeNull()
    }
    using replay = cassette(file, { replay: true })
    const played = await createAgent({ machine: replay.machine(), model: replay.model }).run('Go')
    expect(played).toMatchObject({ output: 'done', toolCalls: [{}, { output: { stdout: 'kept\n' } }, {}] })
  })

  test.each(wireNames)(
    'goes from the model over relay and machine back to a typed output on the %s wire',
    async (wire) => {
      await using world = await startWorld()
      await using server = await startModelServer((request) =>
        request.toolResults.length === 0
          ? {
              text: 'Looking.',
              calls: [{ tool: 'run_command', input: { command: ['sh', '-c', 'echo from $0', world.machine.name] } }],
            }
          : {
              calls: [
                {
                  tool: 'final_result',
                  input: { word: /from machine-\d/.exec(request.toolResults[0] ?? '')?.[0], lines: 1 },
                },
              ],
            },
      )
      const agent = createAgent({ machine: world.handle, env: server.env(wire) })
      const result = await agent.run('What does it print?', { outputSchema: Answer })
      expect(result).toMatchObject({
        status: 'completed',
        output: { word: 'from machine-0', lines: 1 },
        model: { id: 'fake' },
      })
      expect(result.toolCalls).toMatchObject([
        { tool: 'run_command', output: { exitCode: 0, stdout: 'from machine-0\n' } },
      ])
    },
  )

  test('ends with the coded error of a model server that dies, and leaves no command behind', async () => {
    await using world = await startWorld()
    const mark = newMark()
    await using server = await startModelServer([
      { calls: [{ tool: 'run_command', input: { command: ['echo', mark] } }] },
      { text: 'I go on', breaks: 'reset' },
    ])
    const error: unknown = await createAgent({ machine: world.handle, env: server.env('anthropic') })
      .run('Go', { outputSchema: Answer })
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(RunError)
    expect(error).toMatchObject({ code: 'model', result: { status: 'failed', toolCalls: [{ tool: 'run_command' }] } })
    await whenGone(mark)
  })

  test('is bounded when the model answers nonsense for ever', async () => {
    await using world = await startWorld()
    await using server = await startModelServer(() => ({ text: 'Purple. '.repeat(100) }))
    const error: unknown = await createAgent({ machine: world.handle, env: server.env('openai-compatible') })
      .run('Go', { outputSchema: Answer })
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'output_invalid', result: { status: 'failed', attempts: 3 } })
    expect(server.requests.length).toBeLessThanOrEqual(4)
  })

  test('stops its command on the machine when the run is cancelled', async () => {
    await using world = await startWorld()
    const mark = newMark()
    using model = scriptedModel([{ calls: [{ tool: 'run_command', input: { command: `sleep 300 # ${mark}` } }] }])
    const stop = new AbortController()
    const running = createAgent({ machine: world.handle, model }).run('Sleep', { signal: stop.signal })
    await whenRunning(mark)
    stop.abort()
    await expect(running).rejects.toMatchObject({ code: 'cancelled', result: { status: 'cancelled' } })
    await whenGone(mark)
  })
})
