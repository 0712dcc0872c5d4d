import type { CompiledPolicy } from '@cmdop/policy'
import { RunPolicy } from '@cmdop/protocol'
import type { Store } from '../store/store.ts'
import { compileRunPolicy, type CompiledRunPolicy, tightened } from './run-policy.ts'

/** Runs whose policy, or that they have none, is kept in memory; it never changes. */
const MAX_KEPT = 1000

interface Known {
  readonly fleetId: string
  readonly policy: CompiledRunPolicy | undefined
  /** The last one that it was laid over, and what came of it. */
  last?: { readonly base: CompiledPolicy; readonly both: CompiledPolicy }
}

/** The policies that runs carry. */
export class RunPolicies {
  readonly #runs: Pick<Store['runs'], 'get'>
  /** The one that was used last is the last one. */
  readonly #known = new Map<string, Known>()

  constructor(runs: Pick<Store['runs'], 'get'>) {
    this.#runs = runs
  }

  /** `base`, tightened by the policy of a run of this fleet. A run that is not registered has none, and is looked up each time. */
  async over(base: CompiledPolicy, fleetId: string, runId: string): Promise<CompiledPolicy> {
    const known = this.#known.get(runId) ?? (await this.#read(runId))
    if (known?.policy === undefined || known.fleetId !== fleetId) return base
    this.#keep(runId, known)
    if (known.last?.base !== base) known.last = { base, both: tightened(base, known.policy) }
    return known.last.both
  }

  async #read(runId: string): Promise<Known | undefined> {
    const run = await this.#runs.get(runId)
    if (run === undefined) return undefined
    const policy = run.policy === null ? undefined : compileRunPolicy(RunPolicy.parse(JSON.parse(run.policy)))
    const known: Known = { fleetId: run.fleetId, policy }
    this.#keep(runId, known)
    return known
  }

  #keep(runId: string, known: Known): void {
    this.#known.delete(runId)
    this.#known.set(runId, known)
    const [oldest] = this.#known.keys()
    if (oldest !== undefined && this.#known.size > MAX_KEPT) this.#known.delete(oldest)
  }
}
