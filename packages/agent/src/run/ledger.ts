import type { Budget, CountedLimit, Spent } from './budget.ts'
import type { Usage } from './run-result.ts'

/** What a run has spent. What an agent spends that works for it is spent here too, so that a budget holds for all together. */
export interface Ledger {
  /**
   * The first limit that is reached, of this run or of one it works for. `isPast`: for a step that was taken before, for which a budget
   * that other runs share does not count.
   */
  spent(isPast?: boolean): Spent | undefined
  addStep(usage: Usage, cost: number | null): void
  addOutput(bytes: number): void
  /** Bytes of output that may still be shown. */
  readonly outputRoom: number
  /** US dollars so far; null when a step's price was not known. */
  readonly cost: number | null
  /** A limit that cannot be kept, because of a step that nobody counted; one in dollars that is kept in tokens too is none. */
  readonly uncounted: 'tokens' | 'usd' | undefined
  /** The budgets that are spent from: that of this run, and those of the runs it works for. */
  readonly budgets: readonly Budget[]
}

/** A ledger that begins at nothing. `parent`: the one of the run it works for. */
export function createLedger(budget: Budget, parent?: Ledger): Ledger {
  let steps = 0
  let tokens: number | null = 0
  let cost: number | null = 0
  let outputBytes = 0
  const reached = (limit: CountedLimit, used: number | null): Spent | undefined => {
    const allowed = budget[limit]
    return allowed !== undefined && used !== null && used >= allowed ? { limit, used, allowed } : undefined
  }
  return {
    spent: (isPast) =>
      reached('steps', steps) ??
      reached('tokens', tokens) ??
      reached('usd', cost) ??
      reached('outputBytes', outputBytes) ??
      parent?.spent(isPast),
    addStep: (usage, price) => {
      steps += 1
      tokens = usage.totalTokens === null || tokens === null ? null : tokens + usage.totalTokens
      cost = price === null || cost === null ? null : cost + price
      parent?.addStep(usage, price)
    },
    addOutput: (bytes) => {
      outputBytes += bytes
      parent?.addOutput(bytes)
    },
    get outputRoom() {
      const own = budget.outputBytes === undefined ? Number.POSITIVE_INFINITY : budget.outputBytes - outputBytes
      return Math.max(0, Math.min(own, parent?.outputRoom ?? Number.POSITIVE_INFINITY))
    },
    get cost() {
      return cost
    },
    get uncounted() {
      if (budget.tokens !== undefined) return tokens === null ? 'tokens' : parent?.uncounted
      return budget.usd !== undefined && cost === null ? 'usd' : parent?.uncounted
    },
    budgets: [budget, ...(parent?.budgets ?? [])],
  }
}
