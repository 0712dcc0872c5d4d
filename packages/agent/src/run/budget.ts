import { CmdopError } from '@cmdop/protocol'
import * as z from 'zod/v4'

/** What a run may use. What is left out has no limit, apart from steps. */
export interface Budget {
  /** Calls of the model that may use tools. Default 20. When they are used up, one more is reserved for the answer. */
  readonly steps?: number | undefined
  /** Input and output tokens of all steps together. Needs a server that reports them. */
  readonly tokens?: number | undefined
  /** US dollars of all steps together. Needs a known price: see `prices` of the agent. */
  readonly usd?: number | undefined
  /** Wall time. At its end the running command is stopped and the run ends with `deadline`. */
  readonly seconds?: number | undefined
  /** Bytes of output that the tools show to the model, all calls together. */
  readonly outputBytes?: number | undefined
}

/** The limits that are counted, not timed. */
export type CountedLimit = Exclude<keyof Budget, 'seconds'>

/** Model calls of a run that sets no `budget.steps`. */
export const defaultSteps = 20

const limit = (max: number) => z.number().positive().max(max).optional()
const Budget = z.strictObject({
  steps: z.int().positive().max(1_000).optional(),
  tokens: limit(Number.MAX_SAFE_INTEGER),
  usd: limit(1_000_000_000),
  seconds: limit(2_000_000),
  outputBytes: limit(Number.MAX_SAFE_INTEGER),
})

/** A budget as it was given, with its steps. Throws `validation` that names what is wrong. */
export function parseBudget(budget: Budget | undefined): Budget & { readonly steps: number } {
  const limits = parseLimits(budget)
  return { ...limits, steps: limits.steps ?? defaultSteps }
}

/** The limits as they were given. Throws `validation` that names what is wrong. */
export function parseLimits(budget: Budget | undefined): Budget {
  const parsed = Budget.safeParse(budget ?? {})
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const path = ['budget', ...(issue?.path ?? [])].join('.')
  throw new CmdopError('validation', `Expected ${path} to be a positive number in range: ${issue?.message ?? ''}.`)
}

/** The error of a run that is over one of its limits. */
export function overBudget({ limit, used, allowed }: Spent): CmdopError {
  return new CmdopError(
    'budget',
    `The run used ${used} of ${allowed} ${limit} before it had an answer. Allow more with budget.${limit}, or ask for less.`,
    { details: { limit, used, allowed } },
  )
}

/** A limit that is reached. */
export interface Spent {
  readonly limit: CountedLimit
  readonly used: number
  readonly allowed: number
}
