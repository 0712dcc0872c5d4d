import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { CmdopError, type EffectInfo, type EffectList } from '@cmdop/protocol'
import { removeTree, type View, viewSize } from '@cmdop/sandbox'
import type { Logger } from 'pino'
import { type EffectRecord, EffectStore } from './effect-store.ts'

/**
 * Effects that are kept at most, beside those that can be undone; the oldest that nobody has to decide on go first. Of those that can be
 * undone, as many keep their list.
 */
export const MAX_EFFECTS = 200

/** Effects that can be undone at most; the oldest go first. */
export const MAX_UNDOABLE = 10_000

/** Milliseconds in which an effect can be decided on. */
export const PENDING_MS = 7 * 24 * 3_600_000

/** Bytes that the changes of all that waits may take together on the disk; over it nothing more is begun that could wait. */
export const MAX_PENDING_BYTES = 4 * 1024 ** 3

export interface KnownEffectsOptions {
  /** Of the records. */
  readonly folder: string
  /** Of the old versions, for undo. The record of an applied effect is kept as long as it has a journal here. */
  readonly journals: string
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now?: () => number
  /** Default: {@link MAX_PENDING_BYTES}. */
  readonly maxPendingBytes?: number | undefined
}

/** What is known of each effect, here and in files, and the changes of those that wait. */
export class KnownEffects {
  readonly store: EffectStore
  readonly #options: KnownEffectsOptions
  readonly #records = new Map<string, EffectRecord>()
  /** Of the views of what runs: their upper directories as they were at first. */
  readonly #beganWith = new Map<string, string>()
  /** Bytes on the disk of the views that wait. */
  readonly #bytes = new Map<string, number>()
  readonly #removing = new Set<Promise<void>>()
  /** Ids of views that have a journal. */
  #journals = new Set<string>()
  /** Effects whose list is in a file, the oldest first. */
  readonly #listed = new Set<string>()

  constructor(options: KnownEffectsOptions) {
    this.#options = options
    this.store = new EffectStore(options.folder)
  }

  get all(): readonly EffectRecord[] {
    return [...this.#records.values()]
  }

  /** Reads what an earlier daemon kept. */
  load(): void {
    const records = this.store.load().toSorted((one, other) => one.info.createdAt.localeCompare(other.info.createdAt))
    for (const record of records) {
      this.#records.set(record.info.effectId, record)
      this.#listed.add(record.info.effectId)
    }
    this.readJournals()
  }

  /** Finds out which applied effects can be undone. */
  readJournals(): void {
    const { journals } = this.#options
    this.#journals = new Set(existsSync(journals) ? readdirSync(journals) : [])
  }

  /** How many journals there are. */
  get journals(): number {
    return this.#journals.size
  }

  get(effectId: string): EffectRecord | undefined {
    return this.#records.get(effectId)
  }

  /** Notes the effect of what begins now. */
  begin(origin: Omit<EffectInfo, 'state' | 'hash' | 'counts' | 'createdAt' | 'changedAt'>, view: View): void {
    const now = this.#now()
    const info: EffectInfo = { ...origin, state: 'open', hash: null, counts: {}, createdAt: now, changedAt: now }
    this.#beganWith.set(view.id, stateOf(view))
    this.keep({ info, view: keptView(view) })
  }

  /** Most commands only look: then nothing has to be compared. */
  isUntouched(view: View): boolean {
    return this.#beganWith.get(view.id) === stateOf(view)
  }

  /** Finds out how much a view takes that is kept for a decision; what cannot be looked at is over every bound. Never rejects. */
  async weigh(view: EffectRecord['view']): Promise<void> {
    this.#bytes.set(view.id, await viewSize(view).catch(() => Number.POSITIVE_INFINITY))
  }

  /** Throws `no_space` while what waits takes more than it may. */
  refuseWhenFull(): void {
    const most = this.#options.maxPendingBytes ?? MAX_PENDING_BYTES
    const waiting = this.all.filter(({ info }) => info.state === 'pending')
    const bytes = waiting.reduce((sum, { view }) => sum + (this.#bytes.get(view.id) ?? 0), 0)
    if (bytes <= most) return
    throw new CmdopError(
      'no_space',
      `The ${waiting.length} effects that wait on this machine take more than ${most} bytes; nothing ran. Apply or discard some of them: cmdop effects list.`,
      { details: { mostBytes: most, waiting: waiting.length } },
    )
  }

  find(effectId: string): EffectRecord {
    const record = this.#records.get(effectId)
    if (record !== undefined) return record
    throw new CmdopError('not_found', 'This machine knows no such effect; one that changed nothing is not kept.')
  }

  /**
   * Says something new of an effect, and keeps it. `refusal: undefined` takes that away. Where it cannot be written, it is known
   * until the daemon ends: what happened has happened.
   */
  change(record: EffectRecord, change: Partial<EffectInfo>, list?: EffectList): EffectInfo {
    const { refusal, ...info } = { ...record.info, ...change, changedAt: this.#now() }
    const changed = { ...record, info: { ...info, ...(refusal && { refusal }) } }
    try {
      this.keep(changed, list)
    } catch (err) {
      this.#options.log.error({ err, effectId: info.effectId }, 'the record of an effect could not be written')
    }
    return changed.info
  }

  keep(record: EffectRecord, list?: EffectList): void {
    this.#records.set(record.info.effectId, record)
    if (record.info.state === 'applied') this.#journals.add(record.view.id)
    else this.#journals.delete(record.view.id)
    if (list !== undefined) this.#listed.add(record.info.effectId)
    this.store.save(record, list)
  }

  /** Keeps nothing of it but its state folder. */
  forget(effectId: string): void {
    this.#records.delete(effectId)
    this.#listed.delete(effectId)
    this.store.remove(effectId)
  }

  /** Forgets it, and its changes. */
  async drop(record: EffectRecord): Promise<void> {
    this.forget(record.info.effectId)
    await this.removeState(record)
  }

  /** As {@link KnownEffects.drop}; nobody waits for it. */
  dropLater(record: EffectRecord, closed: Promise<void> | undefined): undefined {
    this.forget(record.info.effectId)
    this.removeLater(record, closed)
  }

  /** Nobody has to wait for it; what is left should the daemon end is swept at its next start. */
  removeLater(record: EffectRecord, closed: Promise<void> = Promise.resolve()): void {
    const removed = closed
      .then(() => this.removeState(record))
      .catch((err: unknown) => this.#options.log.warn({ err }, 'the state of a view could not be removed'))
      .finally(() => this.#removing.delete(removed))
    this.#removing.add(removed)
  }

  /** Its changes are on the disk, or forgotten. */
  async removeState({ view }: EffectRecord): Promise<void> {
    this.#beganWith.delete(view.id)
    this.#bytes.delete(view.id)
    await removeTree(view.folder)
  }

  /** Forgets what is over the bounds, but for the views that are looked at just now. */
  async prune(isBusy: (viewId: string) => boolean): Promise<void> {
    const now = (this.#options.now ?? Date.now)()
    const all = [...this.#records.values()]
    const over = all.filter(
      (record) => record.info.state !== 'open' && !this.#hasJournal(record) && !isBusy(record.view.id),
    )
    const oldestFirst = over.toSorted((one, other) => one.info.changedAt.localeCompare(other.info.changedAt))
    for (const record of oldestFirst)
      if (record.info.state === 'pending' && now - Date.parse(record.info.changedAt) > PENDING_MS)
        await this.drop(record)
    const left = oldestFirst.filter(({ info }) => this.#records.has(info.effectId))
    const decided = left.filter(({ info }) => info.state !== 'pending')
    const waiting = left.filter(({ info }) => info.state === 'pending')
    const tooMany = Math.max(0, left.length - MAX_EFFECTS)
    for (const record of [...decided, ...waiting].slice(0, tooMany)) await this.drop(record)
    for (const { info } of all.filter((record) => this.#hasJournal(record)).slice(0, -MAX_EFFECTS))
      if (this.#listed.delete(info.effectId)) this.store.removeList(info.effectId)
  }

  #hasJournal({ info, view }: EffectRecord): boolean {
    return info.state === 'applied' && this.#journals.has(view.id)
  }

  /** Resolves when nothing is to be removed. */
  async close(): Promise<void> {
    await Promise.all(this.#removing)
  }

  #now(): string {
    return new Date((this.#options.now ?? Date.now)()).toISOString()
  }
}

/**
 * What is in the upper directories, what they are themselves, and when they were changed last: the first change in a view needs an
 * entry in one of them, or is one of its own. The time alone has the tick of the kernel's clock.
 */
function stateOf({ layers }: Pick<View, 'layers'>): string {
  return JSON.stringify(
    layers.map(({ upper }) => {
      const { ctimeNs, mtimeNs, mode, uid, gid } = lstatSync(upper, { bigint: true })
      return [[ctimeNs, mtimeNs, mode, uid, gid].join(), readdirSync(upper).toSorted()]
    }),
  )
}

function keptView({ id, folder, layers, flavour, marker, unpreviewable = [] }: View): EffectRecord['view'] {
  return {
    id,
    folder,
    layers: layers.map(({ root, upper }) => ({ root, upper })),
    flavour,
    marker,
    unpreviewable: unpreviewable.map(({ path, why }) => ({ path, why })),
  }
}
