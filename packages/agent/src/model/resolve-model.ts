import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { CmdopError } from '@cmdop/protocol'
import type { ModelConfig, ProviderConfig } from '../config.ts'
import { createFactsModel } from '../facts-model/facts-model.ts'
import type { ModelSource } from './model-error.ts'
import type { ProviderOptions } from './model-step.ts'
import type { ModelObject } from './observed-model.ts'

/** The model that is used when a key is set and no model is named. */
export const defaultModels = { anthropic: 'claude-sonnet-5-5', openai: 'gpt-5.6' } as const

/** A model that can be called, and what may be said of it. */
export interface ResolvedModel {
  readonly model: ModelObject
  readonly source: ModelSource
  readonly providerOptions?: ProviderOptions | undefined
}

/** What a machine prints is not left on the provider's server, and the conversation is sent whole in each step. */
const keepsNothing: ProviderOptions = { openai: { store: false } }

/**
 * Finds the model: the caller's object, the caller's name, CMDOP_MODEL, the one provider that is configured, and with
 * none the built-in `facts` model. A name never leaves for a hosted gateway: it becomes an object of a provider that
 * the environment configures, or the error `config`, which names the variable to set.
 */
export function resolveModel(model: ModelObject | string | undefined, config: ModelConfig): ResolvedModel {
  if (typeof model === 'object') return { model: checked(model), source: sourceOf(model) }
  const name = model ?? config.model
  return name === undefined ? defaultModel(config) : namedModel(name, config)
}

function defaultModel(config: ModelConfig): ResolvedModel {
  const { anthropic, openai, compatible } = config
  const configured = [
    ...(anthropic ? ['ANTHROPIC_API_KEY'] : []),
    ...(openai ? ['OPENAI_API_KEY'] : []),
    ...(compatible ? ['CMDOP_MODEL_BASE_URL'] : []),
  ]
  if (configured.length > 1) {
    throw misconfigured(
      'CMDOP_MODEL',
      `${configured.join(' and ')} are set, so it is open which model to use. Set CMDOP_MODEL to its name.`,
    )
  }
  if (anthropic) return anthropicModel(defaultModels.anthropic, anthropic)
  if (openai) return openaiModel(defaultModels.openai, openai)
  if (compatible) {
    throw misconfigured(
      'CMDOP_MODEL',
      'CMDOP_MODEL_BASE_URL is set, but no model. Set CMDOP_MODEL to the name of a model that server has.',
    )
  }
  return factsModel()
}

/** A prefix decides. A bare name goes to the server of CMDOP_MODEL_BASE_URL when there is one, else by its look. */
function namedModel(name: string, config: ModelConfig): ResolvedModel {
  const [, prefix, rest = name] = /^(anthropic|openai|openai-chat|compatible):(.+)$/.exec(name) ?? []
  if (prefix === undefined && name === 'facts') return factsModel()
  if (prefix === 'compatible' || (prefix === undefined && config.compatible)) {
    return compatibleModel(rest, needed(config.compatible, name, 'CMDOP_MODEL_BASE_URL'))
  }
  if (prefix === 'anthropic' || (prefix === undefined && name.startsWith('claude-'))) {
    return anthropicModel(rest, needed(config.anthropic, name, 'ANTHROPIC_API_KEY'))
  }
  if (prefix !== undefined || /^(gpt-|chatgpt-|o\d)/.test(name)) {
    return openaiModel(rest, needed(config.openai, name, 'OPENAI_API_KEY'), prefix === 'openai-chat')
  }
  const forms =
    'anthropic:<name>, openai:<name>, openai-chat:<name> or facts, or set CMDOP_MODEL_BASE_URL to a server that has it'
  throw misconfigured('CMDOP_MODEL', `No provider is known for the model "${name}". Name it as ${forms}.`)
}

function anthropicModel(id: string, { apiKey, baseUrl }: ProviderConfig): ResolvedModel {
  const model = createAnthropic({ apiKey, baseURL: baseUrl })(id)
  return {
    model,
    source: { identity: { provider: 'anthropic', id }, keySetting: 'ANTHROPIC_API_KEY', secrets: [apiKey] },
  }
}

function openaiModel(id: string, { apiKey, baseUrl }: ProviderConfig, chat = false): ResolvedModel {
  const provider = createOpenAI({ apiKey, baseURL: baseUrl })
  const model = chat ? provider.chat(id) : provider.responses(id)
  const source: ModelSource = { identity: { provider: 'openai', id }, keySetting: 'OPENAI_API_KEY', secrets: [apiKey] }
  return { model, source, providerOptions: keepsNothing }
}

function compatibleModel(id: string, { apiKey, baseUrl }: ProviderConfig): ResolvedModel {
  const key = apiKey === '' ? {} : { apiKey }
  const model = createOpenAICompatible({ name: 'openai-compatible', baseURL: baseUrl, includeUsage: true, ...key })(id)
  const identity = { provider: 'openai-compatible', id }
  return { model, source: { identity, keySetting: 'CMDOP_MODEL_API_KEY', secrets: [apiKey] } }
}

function factsModel(): ResolvedModel {
  const model = createFactsModel()
  return { model, source: sourceOf(model) }
}

function sourceOf(model: ModelObject): ModelSource {
  const [provider = model.provider] = model.provider.split('.')
  return { identity: { provider, id: model.modelId }, keySetting: undefined, secrets: [] }
}

function checked(model: ModelObject): ModelObject {
  const { doStream }: { doStream?: unknown } = model
  if (typeof doStream === 'function') return model
  throw misconfigured('model', 'Expected model to be an AI SDK language model or a name, got another object.')
}

function needed(config: ProviderConfig | undefined, name: string, setting: string): ProviderConfig {
  if (config !== undefined) return config
  throw misconfigured(setting, `The model "${name}" needs ${setting}, which is not set.`)
}

function misconfigured(setting: string, message: string): CmdopError {
  return new CmdopError('config', message, { details: { setting } })
}
