import { CmdopError } from '@cmdop/protocol'
import { isSecretName } from './redact/secret-names.ts'

/** The variables this package reads, by name. Injected in tests; `process.env` otherwise. */
export type Environment = Readonly<Record<string, string | undefined>>

/** A provider as the environment describes it. */
export interface ProviderConfig {
  readonly apiKey: string
  /** Root of the API, with its version: `https://api.openai.com/v1`. */
  readonly baseUrl: string
}

/** What the environment says about models. A part is undefined when its variable is absent or empty. */
export interface ModelConfig {
  /** CMDOP_MODEL: the model to use when the caller names none. */
  readonly model: string | undefined
  /** ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL. */
  readonly anthropic: ProviderConfig | undefined
  /** OPENAI_API_KEY and OPENAI_BASE_URL. */
  readonly openai: ProviderConfig | undefined
  /** CMDOP_MODEL_BASE_URL and CMDOP_MODEL_API_KEY; the key is empty for a server that wants none. */
  readonly compatible: ProviderConfig | undefined
}

/**
 * Reads the model settings. This file is the only place of the package that looks at `process.env`.
 * Throws `config` that names a variable whose value is not an HTTP address.
 */
export function readModelConfig(environment: Environment = process.env): ModelConfig {
  const read = (name: string): string | undefined => environment[name]?.trim() || undefined
  const address = (name: string): string | undefined => parseAddress(name, read(name))
  const provider = (key: string | undefined, baseUrl: string): ProviderConfig | undefined =>
    key === undefined ? undefined : { apiKey: key, baseUrl }
  const compatibleUrl = address('CMDOP_MODEL_BASE_URL')
  return {
    model: read('CMDOP_MODEL'),
    anthropic: provider(
      read('ANTHROPIC_API_KEY'),
      withVersion(address('ANTHROPIC_BASE_URL') ?? 'https://api.anthropic.com'),
    ),
    openai: provider(read('OPENAI_API_KEY'), address('OPENAI_BASE_URL') ?? 'https://api.openai.com/v1'),
    compatible: compatibleUrl === undefined ? undefined : provider(read('CMDOP_MODEL_API_KEY') ?? '', compatibleUrl),
  }
}

/** Shortest value of the environment that is taken for a secret. */
const minSecret = 6

/** Values of variables whose names look like a secret's, so that none of them reaches a model. */
export function readSecrets(environment: Environment = process.env): string[] {
  return Object.entries(environment).flatMap(([name, value]) =>
    value !== undefined && value.length >= minSecret && isSecretName(name) ? [value] : [],
  )
}

function parseAddress(name: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined
  if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol)) {
    throw new CmdopError('config', `Expected ${name} to be an http or https address, got "${value}".`, {
      details: { setting: name },
    })
  }
  return value.replace(/\/+$/, '')
}

/** Anthropic's own variable is written without the version that the API's paths begin with. */
function withVersion(address: string): string {
  return address.endsWith('/v1') ? address : `${address}/v1`
}
