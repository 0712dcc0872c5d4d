import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { createAgent } from './agent.ts'
import { collect } from './testing/collect.ts'
import { localMachine } from './testing/local-machine.ts'
import { startModelServer, wireNames } from './testing/model-server.ts'
import { sampleFacts } from './testing/sample-facts.ts'
import { machineToolNames } from './tools/built-in-tools.ts'

const Answer = z.object({ word: z.string().describe('What the command printed'), lines: z.int().min(1) })
const command = { tool: 'run_command', input: { command: ['echo', 'from the machine'] } }

for (const wire of wireNames) {
  test(`over the ${wire} wire a run goes from the model to the machine and back to a typed output`, async () => {
    await using server = await startModelServer((request) =>
      request.toolResults.length === 0
        ? { thinking: 'I look first.', text: 'Looking.', calls: [command] }
        : {
            calls: [
              {
                tool: 'final_result',
                input: { word: /echo|from the machine/.exec(request.toolResults[0] ?? '')?.[0], lines: 1 },
              },
            ],
          },
    )
    const agent = createAgent({ machine: localMachine(sampleFacts()), env: server.env(wire) })
    const result = await agent.run('What does it print?', { outputSchema: Answer })
    expect(result.output).toEqual({ word: 'from the machine', lines: 1 })
    expect(result).toMatchObject({
      status: 'completed',
      strategy: 'final_result',
      attempts: 1,
      repaired: false,
      text: 'Looking.',
    })
    expect(result.usage).toMatchObject({ inputTokens: 20, outputTokens: 10, totalTokens: 30 })
    expect(result.toolCalls).toMatchObject([
      { tool: 'run_command', isError: false, output: { exitCode: 0, stdout: 'from the machine\n' } },
    ])
    expect(server.requests).toHaveLength(2)
    expect(server.requests[0]?.tools).toEqual([...machineToolNames, 'final_result'])
    expect(JSON.stringify(server.requests[0]?.body)).toContain('What the command printed')
    expect(JSON.stringify(server.requests[1]?.body)).not.toContain('item_reference')
    if (wire === 'anthropic') expect(JSON.stringify(server.requests[1]?.body)).toContain('c2lnbmVk')
    if (wire.startsWith('openai-responses')) expect(server.requests[1]?.body).toMatchObject({ store: false })
    for (const { body } of server.requests) {
      expect(body).not.toHaveProperty('response_format')
      expect(body).not.toHaveProperty('text.format')
      expect(body).not.toHaveProperty('output_config')
    }
  })

  test(`over the ${wire} wire an answer that does not fit goes back with its issues and is repaired`, async () => {
    await using server = await startModelServer([
      { calls: [{ tool: 'final_result', input: { word: 'x', lines: 0 } }] },
      { calls: [{ tool: 'final_result', input: { word: 'x', lines: 1 } }] },
    ])
    const agent = createAgent({ machine: localMachine(sampleFacts()), env: server.env(wire) })
    const result = await agent.run('Answer', { outputSchema: Answer })
    expect(result).toMatchObject({ output: { word: 'x', lines: 1 }, attempts: 2, repaired: true })
    expect(server.requests[1]?.toolResults[0]).toContain('lines: Too small')
  })

  for (const breaks of ['reset', 'end', 'hang'] as const) {
    test(`over the ${wire} wire a stream that breaks off (${breaks}) ends in one error of code model`, async () => {
      await using server = await startModelServer([{ text: 'I begin.', calls: [command], breaks }])
      const agent = createAgent({ machine: localMachine(sampleFacts()), env: server.env(wire), idleTimeoutMs: 200 })
      const stream = agent.runStream('Answer', { outputSchema: Answer })
      const events = await collect(stream)
      const ends = events.filter((event) => event.type === 'error' || event.type === 'result')
      expect(ends).toMatchObject([
        { type: 'error', error: { code: 'model', result: { status: 'failed', output: undefined } } },
      ])
      expect(events.at(-1)).toBe(ends[0])
      await expect(stream.result).rejects.toMatchObject({ code: 'model' })
    })
  }

  test(`over the ${wire} wire a server that fails for good is tried three times, then named`, async () => {
    const busy = { status: 500, headers: { 'retry-after-ms': '1' } }
    await using server = await startModelServer([busy, busy, busy])
    const agent = createAgent({ machine: localMachine(sampleFacts()), env: server.env(wire) })
    await expect(agent.run('Answer', { outputSchema: Answer })).rejects.toMatchObject({
      code: 'model',
      retryable: true,
      details: { statusCode: 500, attempts: 3 },
    })
    await using refusing = await startModelServer([{ status: 400 }])
    const refused = createAgent({ machine: localMachine(sampleFacts()), env: refusing.env(wire) })
    await expect(refused.run('Answer', { outputSchema: Answer })).rejects.toMatchObject({
      code: 'model',
      retryable: false,
    })
  })

  test(`over the ${wire} wire a server that is busy once is asked again`, async () => {
    await using server = await startModelServer([
      { status: 503, headers: { 'retry-after-ms': '1' } },
      { calls: [{ tool: 'final_result', input: { word: 'x', lines: 1 } }] },
    ])
    const agent = createAgent({ machine: localMachine(sampleFacts()), env: server.env(wire) })
    await expect(agent.run('Answer', { outputSchema: Answer })).resolves.toMatchObject({ output: { word: 'x' } })
  })

  test(`over the ${wire} wire a key that is refused is named by its variable and never shown`, async () => {
    await using server = await startModelServer([{}])
    const [setting] =
      wire === 'anthropic'
        ? ['ANTHROPIC_API_KEY']
        : wire === 'openai-compatible'
          ? ['CMDOP_MODEL_API_KEY']
          : ['OPENAI_API_KEY']
    const env = { ...server.env(wire), [setting ?? '']: 'not-the-key-7' }
    const agent = createAgent({ machine: localMachine(sampleFacts()), env })
    const error: unknown = await agent.run('Answer', { outputSchema: Answer }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'config', details: { setting, statusCode: 401 } })
    expect(String(error)).toContain(setting)
    expect(inspect(error, { depth: 20 })).not.toContain('not-the-key-7')
  })

  test(`over the ${wire} wire a run that is left closes its request`, async () => {
    await using server = await startModelServer([{ text: 'I begin.', calls: [command], breaks: 'hang' }])
    const agent = createAgent({ machine: localMachine(sampleFacts()), env: server.env(wire) })
    for await (const event of agent.runStream('Answer', { outputSchema: Answer })) if (event.type === 'text') break
    await server.requests[0]?.closed
    expect(server.requests).toHaveLength(1)
  })

  test(`over the ${wire} wire the answer is shown while it is written`, async () => {
    const hosts = Array.from({ length: 40 }, (_, index) => `host-${index}`)
    await using server = await startModelServer([{ calls: [{ tool: 'final_result', input: { result: hosts } }] }])
    const agent = createAgent({ machine: localMachine(sampleFacts()), env: server.env(wire) })
    const events = await collect(agent.runStream('Answer', { outputSchema: z.array(z.string()) }))
    const partials = events.filter((event) => event.type === 'partial')
    expect(hosts.join()).toContain(String(partials[0]?.output).slice(0, -2))
    expect(events.at(-1)).toMatchObject({ type: 'result', output: hosts })
  })
}
