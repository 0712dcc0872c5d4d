import { expect, test } from 'vitest'
import { readModelConfig } from '../config.ts'
import { scriptedModel } from '../testing/scripted-model.ts'
import { defaultModels, resolveModel } from './resolve-model.ts'

const anthropic = { ANTHROPIC_API_KEY: 'sk-a' }
const openai = { OPENAI_API_KEY: 'sk-o' }
const own = { CMDOP_MODEL_BASE_URL: 'http://127.0.0.1:11434/v1' }

test.each([
  ['nothing is configured', undefined, {}, 'cmdop:facts', 'cmdop'],
  ['only Anthropic is configured', undefined, anthropic, `anthropic:${defaultModels.anthropic}`, 'anthropic.messages'],
  ['only OpenAI is configured', undefined, openai, `openai:${defaultModels.openai}`, 'openai.responses'],
  [
    'CMDOP_MODEL names one',
    undefined,
    { ...anthropic, ...openai, CMDOP_MODEL: 'openai:gpt-x' },
    'openai:gpt-x',
    'openai.responses',
  ],
  [
    'CMDOP_MODEL names one of the own server',
    undefined,
    { ...own, CMDOP_MODEL: 'llama3:8b' },
    'openai-compatible:llama3:8b',
    'openai-compatible.chat',
  ],
  ['the caller names a Claude', 'claude-x', { ...anthropic, ...openai }, 'anthropic:claude-x', 'anthropic.messages'],
  ['the caller names a GPT', 'gpt-x', { ...anthropic, ...openai }, 'openai:gpt-x', 'openai.responses'],
  ['the caller asks for the Chat API', 'openai-chat:gpt-x', openai, 'openai:gpt-x', 'openai.chat'],
  [
    'a bare name meets an own server',
    'openai/gpt-oss',
    { ...own, ...openai },
    'openai-compatible:openai/gpt-oss',
    'openai-compatible.chat',
  ],
  ['the caller asks for the built-in one', 'facts', anthropic, 'cmdop:facts', 'cmdop'],
])('when %s, that model is used', (_, name, env, expected, provider) => {
  const { model, source } = resolveModel(name, readModelConfig(env))
  expect(`${source.identity.provider}:${source.identity.id}`).toBe(expected)
  expect(model.provider).toBe(provider)
})

test.each([
  ['two providers without a name', undefined, { ...anthropic, ...openai }, 'CMDOP_MODEL'],
  ['an own server without a name', undefined, own, 'CMDOP_MODEL'],
  ['a Claude without a key', 'claude-x', openai, 'ANTHROPIC_API_KEY'],
  ['a Claude with an empty key', 'claude-x', { ANTHROPIC_API_KEY: ' ' }, 'ANTHROPIC_API_KEY'],
  ['a GPT without a key', 'openai:gpt-x', {}, 'OPENAI_API_KEY'],
  ['an own model without a server', 'compatible:llama', {}, 'CMDOP_MODEL_BASE_URL'],
  ["a hosted gateway's form of a name", 'openai/gpt-4o', { ...openai, AI_GATEWAY_API_KEY: 'x' }, 'CMDOP_MODEL'],
])('%s is refused, naming the variable to set', (_, name, env, setting) => {
  expect(() => resolveModel(name, readModelConfig(env))).toThrow(
    expect.objectContaining({
      code: 'config',
      message: expect.stringContaining(setting) as string,
      details: { setting },
    }) as Error,
  )
})

test('an address that is none is refused by the name of its variable', () => {
  expect(() => readModelConfig({ ...openai, OPENAI_BASE_URL: 'localhost:8080' })).toThrow(
    'Expected OPENAI_BASE_URL to be an http or https address',
  )
})

test("Anthropic's address gets the version its paths begin with", () => {
  expect(readModelConfig({ ...anthropic, ANTHROPIC_BASE_URL: 'http://proxy/' }).anthropic?.baseUrl).toBe(
    'http://proxy/v1',
  )
  expect(readModelConfig({ ...anthropic, ANTHROPIC_BASE_URL: 'http://proxy/v1' }).anthropic?.baseUrl).toBe(
    'http://proxy/v1',
  )
})

test("a caller's own model object is used as it is", () => {
  const model = scriptedModel([])
  expect(resolveModel(model, readModelConfig(anthropic))).toMatchObject({
    model,
    source: { identity: { provider: 'scripted', id: 'scripted' } },
  })
})

test('an object that is no model is refused', () => {
  expect(() => resolveModel({ provider: 'x', modelId: 'y' } as never, readModelConfig({}))).toThrow(
    expect.objectContaining({ code: 'config' }) as Error,
  )
})
