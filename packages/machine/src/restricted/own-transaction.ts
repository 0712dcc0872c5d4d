import type { EffectList, EffectRefusal, EffectSummary } from '@cmdop/protocol'
import type { Sandbox } from '@cmdop/sandbox'
import type { EffectTable } from './effects/effect-table.ts'
import { lostRefusal } from './effects/refusal.ts'
import type { EffectOrigin, Transaction } from './effects/transaction.ts'
import { freezeSandbox } from './freeze-sandbox.ts'
import type { Sandboxes } from './sandboxes.ts'

/** Where it was opened, and where its effect is kept. */
export interface OwnTransactionOwner {
  readonly sandboxes: Sandboxes
  readonly effects: EffectTable
}

/** A sandbox for one command or file operation, which ends with it, and so does what that leaves in the background. */
export class OwnTransaction {
  readonly sandbox: Sandbox
  readonly #owner: OwnTransactionOwner
  readonly #transaction: Transaction | undefined
  #frozen: Promise<EffectList['sideEffects']> | undefined
  /** Its host is gone, and nobody asked for that. */
  #isLost = false

  constructor(sandbox: Sandbox, owner: OwnTransactionOwner, origin: EffectOrigin) {
    this.sandbox = sandbox
    this.#owner = owner
    void sandbox.gone.then(() => (this.#isLost = true))
    const { view } = sandbox
    if (view === undefined) return
    this.#transaction = { origin, view, keptAs: () => origin.effectId }
    owner.effects.begin(this.#transaction)
  }

  /** Whether there is a view whose changes are an effect. */
  get hasView(): boolean {
    return this.#transaction !== undefined
  }

  /** Ends everything in it. */
  freeze(): Promise<EffectList['sideEffects']> {
    this.#frozen ??= freezeSandbox(this.sandbox)
    return this.#frozen
  }

  /** It is over: its effect is judged and applied, or kept, for `refusal` whatever it is. Never rejects. */
  async settle(refusal?: EffectRefusal): Promise<EffectSummary | undefined> {
    const sideEffects = await this.freeze()
    const isJudged = this.sandbox.restrictions.dryRun !== true
    const refused = refusal ?? (isJudged && this.#isLost ? lostRefusal() : undefined)
    // Nobody waits for the end of the host: its processes are gone.
    const closed = this.#owner.sandboxes.close(this.sandbox)
    const ending = { sideEffects, refusal: refused, isJudged, closed }
    return this.#transaction && this.#owner.effects.settle(this.#transaction, ending)
  }

  /** It is over, and none of its changes count. */
  async discard(): Promise<void> {
    await this.#owner.sandboxes.close(this.sandbox)
    if (this.#transaction !== undefined) await this.#owner.effects.drop(this.#transaction)
  }
}
