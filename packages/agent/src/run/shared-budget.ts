import { type Budget, parseLimits, type Spent } from './budget.ts'
import type { Ledger } from './ledger.ts'

/** What runs have used. null: a step was not counted, or has no price. */
export interface Used {
  readonly steps: number
  readonly tokens: number | null
  readonly usd: number | null
}

/**
 * A budget that several runs spend from, beside their own: `sharedBudget` of a run. Once a limit is reached, each of them has one more
 * step, for its answer.
 */
export interface SharedBudget extends Ledger {
  /** So far, by all runs that spend from it. */
  readonly used: Used
  /** Counts what was used before, by runs that are over. */
  add(used: Used): void
}

/** One of which nothing is used. Without a limit it only counts. Throws `validation`. */
export function createSharedBudget(limits: Pick<Budget, 'steps' | 'tokens' | 'usd'>): SharedBudget {
  const budget = parseLimits(limits)
  let used: Used = { steps: 0, tokens: 0, usd: 0 }
  const add = (more: Used): void => {
    used = { steps: used.steps + more.steps, tokens: sum(used.tokens, more.tokens), usd: sum(used.usd, more.usd) }
  }
  const spent = (): Spent | undefined => {
    for (const limit of ['steps', 'tokens', 'usd'] as const) {
      const [now, allowed] = [used[limit], budget[limit]]
      if (now !== null && allowed !== undefined && now >= allowed) return { limit, used: now, allowed }
    }
    return undefined
  }
  return {
    budgets: [budget],
    outputRoom: Number.POSITIVE_INFINITY,
    addOutput: () => {},
    get used() {
      return used
    },
    get cost() {
      return used.usd
    },
    get uncounted() {
      if (budget.tokens !== undefined) return used.tokens === null ? 'tokens' : undefined
      return budget.usd !== undefined && used.usd === null ? 'usd' : undefined
    },
    add,
    addStep: ({ totalTokens }, cost) => add({ steps: 1, tokens: totalTokens, usd: cost }),
    spent: (isPast = false) => (isPast ? undefined : spent()),
  }
}

function sum(one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : one + other
}
