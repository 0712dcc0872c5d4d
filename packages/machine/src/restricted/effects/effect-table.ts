import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  CmdopError,
  type EffectDetails,
  type EffectInfo,
  type EffectList,
  type EffectRefusal,
  type EffectSummary,
  type Permit,
} from '@cmdop/protocol'
import {
  applyEffect,
  computeEffects,
  judge,
  pruneJournals,
  type Recovery,
  recover,
  sweep,
  undoEffect,
  type View,
} from '@cmdop/sandbox'
import type { EffectRecord } from './effect-store.ts'
import { KnownEffects, type KnownEffectsOptions, MAX_UNDOABLE } from './known-effects.ts'
import { cancelledRefusal, failedRefusal, unfinishedRefusal, violatedRefusal } from './refusal.ts'
import type { Transaction } from './transaction.ts'

export interface EffectTableOptions extends KnownEffectsOptions {
  /** Of the views. */
  readonly states: string
  /** Paths where a change changes what runs later, beside those that every machine has: the daemon's own. */
  readonly deferred: readonly string[]
}

/** Milliseconds after which old versions over their bounds are looked for again. */
const PRUNE_EVERY_MS = 3_600_000

/** Effects that can be undone, over their bound, for which they are looked for before. */
const PRUNE_EVERY = 1000

/** How a transaction ended. */
export interface Ending {
  readonly sideEffects: EffectList['sideEffects']
  /** Why it is not applied whatever it is. */
  readonly refusal?: EffectRefusal | undefined
  /** Applied at once when it breaks nothing; otherwise it waits for a decision. */
  readonly isJudged: boolean
  /** Resolves when the host of its view is gone; before that, the state folder is not removed. */
  readonly closed?: Promise<void>
}

/** The effects of this machine: of what runs, those that wait for a decision, and those that had one. */
export class EffectTable {
  readonly #options: EffectTableOptions
  readonly #known: KnownEffects
  readonly #open = new Map<string, Transaction>()
  /** Views that are being settled or decided on, by one at a time. */
  readonly #claims = new Map<string, Promise<void>>()
  #prunedAt = Number.NEGATIVE_INFINITY
  #isPruning = false
  /** The last change of the disk; one at a time. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: EffectTableOptions) {
    this.#options = options
    this.#known = new KnownEffects(options)
  }

  /** Brings to an end what an earlier daemon left: to be called before anything else. */
  async start(): Promise<void> {
    const { journals, states, log } = this.#options
    const recovered = await recover({ journals })
    if (recovered.length > 0) log.warn({ recovered }, 'an apply or undo was interrupted, and is brought to an end')
    const outcomes = new Map(recovered.map(({ effectId, outcome }) => [effectId, outcome]))
    this.#known.load()
    for (const record of this.#known.all) await this.#takeOver(record, outcomes.get(record.view.id))
    const pending = this.#known.all.filter(({ info }) => info.state === 'pending')
    await sweep(
      states,
      pending.map(({ view }) => view.id),
    )
    for (const { view } of pending) await this.#known.weigh(view)
    await this.#prune()
  }

  /** Throws `no_space` while the effects that wait take more of the disk than they may: nothing is to be begun that could wait too. */
  refuseWhenFull(): void {
    this.#known.refuseWhenFull()
  }

  /** A transaction has begun. It is noted at once, so that its effect is known should the daemon end. */
  begin(transaction: Transaction): void {
    const { origin, view } = transaction
    this.#known.begin(origin, view)
    this.#open.set(origin.effectId, transaction)
  }

  /** A transaction is over, and its processes with it. Gives its effect; undefined when it changed nothing. Never rejects. */
  async settle({ origin, keptAs, view }: Transaction, ending: Ending): Promise<EffectSummary | undefined> {
    // Who decides on it just now is first: then there is nothing left to settle, or nothing was decided.
    while (this.#claims.has(view.id)) await this.#claims.get(view.id)
    const open = this.#known.get(origin.effectId)
    if (!this.#open.delete(origin.effectId) || open === undefined) return undefined
    const release = this.#claim(view.id)
    try {
      const record = { info: { ...open.info, effectId: keptAs() }, view: open.view }
      if (record.info.effectId !== origin.effectId) this.#known.forget(origin.effectId)
      const summary = await this.#settle(record, ending).catch((err: unknown) => {
        this.#options.log.error({ err, effectId: origin.effectId }, 'the effect of a command could not be looked at')
        return summaryOf(this.#known.change(record, { state: 'pending', refusal: failedRefusal(err), hash: NO_HASH }))
      })
      if (summary?.state === 'pending') await this.#known.weigh(record.view)
      return summary
    } finally {
      release()
    }
  }

  /** A transaction is over, and its changes are forgotten. */
  async drop({ origin }: Transaction): Promise<void> {
    const record = this.#known.get(origin.effectId)
    if (this.#open.delete(origin.effectId) && record !== undefined) await this.#known.drop(record)
  }

  /** The effects that are kept, the newest first. */
  list(limit: number): EffectInfo[] {
    const infos = this.#known.all.map(({ info }) => info)
    return infos.toSorted((one, other) => other.createdAt.localeCompare(one.createdAt)).slice(0, limit)
  }

  /** One effect with its list; of what still runs, as it is now. Throws `not_found`. */
  async get(effectId: string, signal?: AbortSignal): Promise<EffectDetails> {
    const { info, view } = this.#known.find(effectId)
    const open = this.#open.get(effectId)
    if (open !== undefined) return { info, list: await this.#compute(open.view, info, { signal }) }
    const list = this.#known.store.list(effectId)
    if (list !== null || info.state !== 'pending') return { info, list }
    return { info, list: await this.#compute(view, info, { signal }) }
  }

  /**
   * Applies exactly the effect with this hash. What still runs in its view is ended first. Rejects with `permission` for an AI,
   * `not_found`, `conflict` for one that is decided already, and `effect_conflict`; nothing is applied then.
   */
  apply(effectId: string, hash: string, permit: Pick<Permit, 'principalKind'>): Promise<EffectInfo> {
    return this.#decide(effectId, permit, {
      look: async ({ info }, view) => {
        const { hash: now } = await this.#compute(view, info, {})
        if (now !== hash) throw otherEffect(now)
      },
      act: async ({ info }, view, sideEffects) => {
        // Where it is of a session that ran, its list was never kept.
        const list = this.#known.store.list(effectId) ?? (await this.#compute(view, info, { sideEffects }))
        await applyEffect(view, hash, { journals: this.#options.journals })
        return { state: 'applied', hash, counts: list.counts, list }
      },
    })
  }

  /** Forgets the changes. What still runs in their view is ended first. Of one that is discarded already, what is known. */
  async discard(effectId: string, permit: Pick<Permit, 'principalKind'>): Promise<EffectInfo> {
    refuseAi(permit)
    const known = this.#known.find(effectId)
    if (known.info.state === 'discarded') return known.info
    const act = async ({ info: { hash, counts } }: EffectRecord) => ({ state: 'discarded', hash, counts }) as const
    return this.#decide(effectId, permit, { act })
  }

  /** Takes an applied effect back. Rejects with `permission` for an AI, `not_found`, `conflict` and `effect_conflict`. */
  async undo(effectId: string, permit: Pick<Permit, 'principalKind'>): Promise<EffectInfo> {
    refuseAi(permit)
    return this.#alone(async () => {
      const record = this.#known.find(effectId)
      if (record.info.state !== 'applied')
        throw new CmdopError('conflict', `The effect is ${record.info.state}; only one that is applied is taken back.`)
      await undoEffect(record.view.id, { journals: this.#options.journals })
      return this.#known.change(record, { state: 'undone' })
    })
  }

  /** Resolves when no change of the disk is under way, and nothing is to be removed. */
  async close(): Promise<void> {
    await this.#last.catch(() => {})
    await this.#known.close()
  }

  async #settle(
    record: EffectRecord,
    { sideEffects, refusal, isJudged, closed }: Ending,
  ): Promise<EffectSummary | undefined> {
    const { info, view } = record
    // Most commands only look: then nothing has to be compared.
    if (this.#known.isUntouched(view)) return this.#known.dropLater(record, closed)
    const list = await this.#compute(view, info, { sideEffects })
    const { hash, counts } = list
    const isEmpty = Object.keys(counts).length === 0
    const refused = refusal ?? (isJudged ? await this.#judgeAndApply(record, list) : undefined)
    // Of what only looked, or changed times, there is nothing to decide on.
    if (isEmpty) return this.#known.dropLater(record, closed)
    const state = isJudged && refused === undefined ? 'applied' : 'pending'
    const changed = this.#known.change(
      record,
      { state, hash, counts, refusal: refused },
      { ...list, effectId: info.effectId },
    )
    if (state === 'applied') this.#known.removeLater(record, closed)
    await this.#prune()
    return summaryOf(changed)
  }

  async #judgeAndApply({ info, view }: EffectRecord, list: EffectList): Promise<EffectRefusal | undefined> {
    const judgement = judge(list, info.restrictions)
    if (judgement.verdict === 'refuse') return violatedRefusal(judgement.violations)
    try {
      await this.#alone(() => applyEffect(view, list.hash, { journals: this.#options.journals }))
      return undefined
    } catch (err) {
      const refusal = failedRefusal(err)
      if (refusal.code === 'server')
        this.#options.log.error({ err, effectId: info.effectId }, 'an effect was not applied')
      return refusal
    }
  }

  #decide(effectId: string, permit: Pick<Permit, 'principalKind'>, decide: Decide): Promise<EffectInfo> {
    refuseAi(permit)
    return this.#alone(async () => {
      const record = this.#known.find(effectId)
      const { state } = record.info
      if (this.#claims.has(record.view.id))
        throw new CmdopError('conflict', 'The effect is just being settled; try again.')
      if (state !== 'open' && state !== 'pending') throw new CmdopError('conflict', `The effect is ${state} already.`)
      const release = this.#claim(record.view.id)
      try {
        const open = this.#open.get(effectId)
        if (open !== undefined) return await this.#decideRunning(record, open, { ...decide, release })
        const { list, ...decision } = await decide.act(record, record.view, undefined)
        const info = this.#known.change(record, { ...decision, refusal: undefined }, list)
        await this.#known.removeState(record)
        return info
      } finally {
        release()
      }
    })
  }

  async #decideRunning(
    record: EffectRecord,
    { running, view, keptAs }: Transaction,
    { look, act, release }: Decide & { readonly release: () => void },
  ): Promise<EffectInfo> {
    const { effectId } = record.info
    if (running === undefined)
      throw new CmdopError('conflict', 'The command still runs; wait for its end, or cancel it.')
    await look?.(record, view)
    let outcome: 'gone' | 'kept' = 'kept'
    try {
      const sideEffects = await running.freeze()
      const { list, ...decision } = await act(record, view, sideEffects)
      const id = keptAs()
      this.#open.delete(effectId)
      if (id !== effectId) this.#known.forget(effectId)
      const decided = { ...record, info: { ...record.info, effectId: id } }
      outcome = 'gone'
      return this.#known.change(decided, decision, list && { ...list, effectId: id })
    } finally {
      // A session that ends with this settles what is kept, and is waited for.
      release()
      await running.decided(outcome)
    }
  }

  #claim(viewId: string): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#claims.set(viewId, promise)
    return () => {
      if (this.#claims.get(viewId) === promise) this.#claims.delete(viewId)
      resolve()
    }
  }

  /** What an earlier daemon knew: a transaction that ran waits to be decided on, if it changed anything. */
  async #takeOver(record: EffectRecord, outcome: Recovery['outcome'] | undefined): Promise<void> {
    const { info, view } = record
    const isRolledBack = outcome === 'rolled-back' || outcome === 'undone'
    const hasJournal = existsSync(join(this.#options.journals, view.id))
    if (info.state === 'applied' && !hasJournal && isRolledBack) this.#known.change(record, { state: 'undone' })
    if (info.state !== 'open' && info.state !== 'pending') return
    // Nobody decides on it before that is done.
    if (outcome === 'failed') return void this.#known.change(record, { state: 'pending', refusal: unfinishedRefusal() })
    // Applied to its end, but not noted.
    if (hasJournal && !isRolledBack) this.#known.change(record, { state: 'applied' })
    else if (!existsSync(view.folder)) this.#known.forget(info.effectId)
    else if (info.state === 'open') {
      const network = info.restrictions.network ?? 'none'
      const isSession = info.kind === 'session'
      const refusal = isSession ? undefined : cancelledRefusal('lost')
      const sideEffects = { network, networkAttempts: 0, backgroundKilled: 0 }
      await this.#settle(record, { sideEffects, refusal, isJudged: false }).catch((err: unknown) => {
        this.#options.log.error({ err, effectId: info.effectId }, 'what an earlier daemon left could not be looked at')
        this.#known.forget(info.effectId)
      })
    }
  }

  /** Never rejects: what was decided stays so, whatever becomes of what is older. */
  async #prune(): Promise<void> {
    await this.#known
      .prune((viewId) => this.#claims.has(viewId))
      .catch((err: unknown) => this.#options.log.error({ err }, 'effects over their bounds could not be removed'))
    const isDue = performance.now() - this.#prunedAt >= PRUNE_EVERY_MS
    if (this.#isPruning || (!isDue && this.#known.journals < MAX_UNDOABLE + PRUNE_EVERY)) return
    this.#prunedAt = performance.now()
    this.#isPruning = true
    // Not waited for: who settles may be within an apply, after which its turn comes.
    this.#alone(() => pruneJournals(this.#options.journals, { maxCount: MAX_UNDOABLE }))
      .catch((err: unknown) => {
        this.#options.log.error({ err }, 'old versions over their bounds could not be removed')
      })
      .finally(() => {
        this.#known.readJournals()
        this.#isPruning = false
      })
  }

  #compute(
    view: View,
    { restrictions }: Pick<EffectInfo, 'restrictions'>,
    { sideEffects, signal }: { sideEffects?: EffectList['sideEffects'] | undefined; signal?: AbortSignal | undefined },
  ): Promise<EffectList> {
    const network = restrictions.network ?? 'none'
    return computeEffects(view, {
      deferred: { extra: this.#options.deferred },
      sideEffects: sideEffects ?? { network, networkAttempts: 0, backgroundKilled: 0 },
      ...(signal && { signal }),
    })
  }

  #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#last.then(work, work)
    this.#last = done.catch(() => {})
    return done
  }
}

interface Decide {
  /** Before what still runs is ended. */
  readonly look?: (record: EffectRecord, view: View) => Promise<void>
  /** Once nothing changes any more. */
  readonly act: (
    record: EffectRecord,
    view: View,
    sideEffects: EffectList['sideEffects'] | undefined,
  ) => Promise<Pick<EffectInfo, 'state' | 'hash' | 'counts'> & { readonly list?: EffectList }>
}

/** Of an effect that cannot be computed: nothing has it. */
const NO_HASH = '0'.repeat(64)

function refuseAi({ principalKind }: Pick<Permit, 'principalKind'>): void {
  if (principalKind === 'ai')
    throw new CmdopError('permission', 'An AI does not decide on effects; a person looks at them and does.')
}

function otherEffect(hash: string): CmdopError {
  return new CmdopError(
    'effect_conflict',
    'Nothing was applied: the effect is not the one that was shown. Look at it again.',
    { details: { paths: [], hash } },
  )
}

function summaryOf({ effectId, state, hash, counts, refusal }: EffectInfo): EffectSummary {
  return { effectId, state, hash: hash ?? NO_HASH, counts, ...(refusal && { refusal }) }
}
