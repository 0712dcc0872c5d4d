import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createAgent } from './agent.ts'
import type { ModelObject } from './model/observed-model.ts'
import { collect } from './testing/collect.ts'
import { localMachine } from './testing/local-machine.ts'
import { type WireName, wireNames } from './testing/model-server.ts'
import { sampleFacts } from './testing/sample-facts.ts'
import { anthropicWire } from './testing/wires/anthropic.ts'
import { openaiChatWire } from './testing/wires/openai-chat.ts'
import { openaiResponsesWire } from './testing/wires/openai-responses.ts'
import type { ServerTurn, Wire } from './testing/wires/wire.ts'

// Synthetic: these streams were written after the providers' public references, not recorded from them.
const wires: Readonly<Record<WireName, { wire: Wire; model: (fetch: typeof globalThis.fetch) => ModelObject }>> = {
  anthropic: { wire: anthropicWire, model: (fetch) => createAnthropic({ apiKey: 'k', fetch })('fake') },
  'openai-responses': {
    wire: openaiResponsesWire,
    model: (fetch) => createOpenAI({ apiKey: 'k', fetch }).responses('fake'),
  },
  'openai-chat': { wire: openaiChatWire, model: (fetch) => createOpenAI({ apiKey: 'k', fetch }).chat('fake') },
  'openai-compatible': {
    wire: openaiChatWire,
    model: (fetch) =>
      createOpenAICompatible({ name: 'openai-compatible', baseURL: 'http://fake', includeUsage: true, fetch })('fake'),
  },
}

/** An agent whose model answers with the turns, each sent in pieces of the given sizes, whatever they cut. */
function agentOf(name: WireName, turns: readonly ServerTurn[], sizes: readonly number[]) {
  const { wire, model } = wires[name]
  let next = 0
  const fetch = async () => {
    const turn = turns[next++] ?? {}
    const body = ReadableStream.from(cut(Buffer.from(wire.events(turn, next).join('')), sizes))
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }
  return createAgent({ machine: localMachine(sampleFacts()), model: model(fetch), env: {}, maxRetries: 0 })
}

function* cut(bytes: Buffer, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    yield new Uint8Array(bytes.subarray(at, at + size))
    at += size
  }
}

const words = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((text) => text.trim() !== '')
const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 8 })
const usage = fc.record({
  input: fc.integer({ min: 50, max: 9_999 }),
  output: fc.integer({ min: 10, max: 999 }),
  cached: fc.nat(50),
  reasoning: fc.nat(10),
})

for (const name of wireNames) {
  test(`over the ${name} wire thinking, text, parallel calls and usage arrive whole, wherever the bytes are cut`, async () => {
    const calls = fc.array(words, { minLength: 1, maxLength: 4 })
    const property = fc.asyncProperty(words, words, calls, usage, sizes, async (thinking, text, paths, used, cuts) => {
      const asked = paths.map((path, index) => ({ tool: 'look', input: { path: `/${path}` }, id: `call_${index}` }))
      const agent = agentOf(
        name,
        [
          { thinking, text, calls: asked, usage: used },
          { text: 'end', usage: used },
        ],
        cuts,
      )
      const events = await collect(agent.runStream('Go', { agentType: 'chat' }))
      const said = (type: 'thinking' | 'text') =>
        events.map((event) => (event.type === type ? event.content : '')).join('')
      // OpenAI's own Chat API shows none.
      expect(said('thinking')).toBe(name === 'openai-chat' ? '' : thinking)
      expect(said('text')).toBe(`${text}end`)
      const shown = events.filter((event) => event.type === 'tool_call')
      expect(shown.map(({ toolCallId, input }) => ({ id: toolCallId, input }))).toEqual(
        asked.map(({ id, input }) => ({ id, input })),
      )
      const [last] = events.filter((event) => event.type === 'result')
      const hasDetails = name !== 'anthropic'
      expect(last?.result.usage).toMatchObject({
        inputTokens: 2 * used.input,
        outputTokens: 2 * used.output,
        totalTokens: 2 * (used.input + used.output),
        cachedInputTokens: 2 * used.cached,
        ...(hasDetails ? { reasoningTokens: 2 * used.reasoning } : {}),
      })
    })
    await fc.assert(property, { numRuns: 25 })
  })

  test(`over the ${name} wire an error in the stream gives exactly one terminal error, and what came before it stays`, async () => {
    await fc.assert(
      fc.asyncProperty(words, sizes, async (text, cuts) => {
        const stream = agentOf(name, [{ text, streamError: 'overloaded' }], cuts).runStream('Go', { agentType: 'chat' })
        const events = await collect(stream)
        const ends = events.filter((event) => event.type === 'error' || event.type === 'result')
        expect(ends).toMatchObject([{ type: 'error', error: { code: 'model' } }])
        expect(events.at(-1)).toBe(ends[0])
        expect(events.map((event) => (event.type === 'text' ? event.content : '')).join('')).toBe(text)
        await expect(stream.result).rejects.toMatchObject({ code: 'model' })
      }),
      { numRuns: 10 },
    )
  })
}

test.each(['anthropic', 'openai-responses', 'openai-chat'] as const)(
  'over the %s wire a refusal ends the run with what was said and what it cost',
  async (name) => {
    const stream = agentOf(name, [{ refusal: 'I will not do that.' }], [7]).runStream('Go', { agentType: 'chat' })
    const events = await collect(stream)
    expect(events.map((event) => (event.type === 'text' ? event.content : '')).join('')).toBe('I will not do that.')
    expect(events.at(-1)).toMatchObject({
      type: 'error',
      error: { code: 'model_refused', result: { text: 'I will not do that.', usage: { totalTokens: 15 } } },
    })
  },
)
