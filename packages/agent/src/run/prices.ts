import { CmdopError } from '@cmdop/protocol'
import * as z from 'zod/v4'
import type { ModelIdentity, Usage } from './run-result.ts'

/** US dollars for a million tokens of a model. */
export interface Price {
  readonly input: number
  readonly output: number
  /** Input that came from the server's cache. Default: as `input`. */
  readonly cachedInput?: number | undefined
}

/** Prices by model: `provider:id`, or the id alone. A name that ends in `*` is a beginning; the longest one counts. */
export type PriceTable = Readonly<Record<string, Price>>

/**
 * List prices of 2025 for models that had one then. A provider may change them at any time: set `prices` for what you pay.
 * A model that is not here has no price, and its runs have `cost: null`.
 */
export const listPrices: PriceTable = {
  'cmdop:facts': { input: 0, output: 0 },
  'anthropic:claude-opus-4-5*': { input: 5, output: 25, cachedInput: 0.5 },
  'anthropic:claude-sonnet-4-5*': { input: 3, output: 15, cachedInput: 0.3 },
  'anthropic:claude-sonnet-4-2025*': { input: 3, output: 15, cachedInput: 0.3 },
  'anthropic:claude-haiku-4-5*': { input: 1, output: 5, cachedInput: 0.1 },
  'openai:gpt-5-2025*': { input: 1.25, output: 10, cachedInput: 0.125 },
  'openai:gpt-5': { input: 1.25, output: 10, cachedInput: 0.125 },
  'openai:gpt-5-mini*': { input: 0.25, output: 2, cachedInput: 0.025 },
  'openai:gpt-5-nano*': { input: 0.05, output: 0.4, cachedInput: 0.005 },
  'openai:gpt-4.1-mini*': { input: 0.4, output: 1.6, cachedInput: 0.1 },
  'openai:gpt-4.1': { input: 2, output: 8, cachedInput: 0.5 },
  'openai:gpt-4o-mini*': { input: 0.15, output: 0.6, cachedInput: 0.075 },
  'openai:gpt-4o': { input: 2.5, output: 10, cachedInput: 1.25 },
}

const Price = z.strictObject({
  input: z.number().nonnegative(),
  output: z.number().nonnegative(),
  cachedInput: z.number().nonnegative().optional(),
})

/** The caller's prices before the list's. Throws `validation` for a price that is none. */
export function parsePrices(prices: PriceTable | undefined): PriceTable {
  const parsed = z.record(z.string(), Price).safeParse(prices ?? {})
  if (parsed.success) return { ...listPrices, ...parsed.data }
  const [issue] = parsed.error.issues
  throw new CmdopError(
    'validation',
    `Expected prices.${issue?.path.join('.') ?? ''} to be US dollars: ${issue?.message ?? ''}.`,
  )
}

/** The price of a model, or undefined when none is known. */
export function priceOf({ provider, id }: ModelIdentity, prices: PriceTable): Price | undefined {
  for (const name of [`${provider}:${id}`, id]) {
    if (Object.hasOwn(prices, name)) return prices[name]
    const starts = Object.keys(prices).filter((key) => key.endsWith('*') && name.startsWith(key.slice(0, -1)))
    const longest = starts.sort((one, other) => other.length - one.length)[0]
    if (longest !== undefined) return prices[longest]
  }
  return undefined
}

/** US dollars for a use of tokens; null when the server reported none, or there is no price. */
export function costOf(usage: Usage, price: Price | undefined): number | null {
  if (price === undefined) return null
  if (price.input === 0 && price.output === 0) return 0
  if (usage.inputTokens === null || usage.outputTokens === null) return null
  const cached = Math.min(usage.cachedInputTokens ?? 0, usage.inputTokens)
  const dollars =
    (usage.inputTokens - cached) * price.input +
    cached * (price.cachedInput ?? price.input) +
    usage.outputTokens * price.output
  return dollars / 1_000_000
}
