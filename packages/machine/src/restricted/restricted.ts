import { mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { EffectTable } from './effects/effect-table.ts'
import type { EffectOrigin } from './effects/transaction.ts'
import { keepsChanges } from './held-restrictions.ts'
import { OwnTransaction } from './own-transaction.ts'
import { type PlaceOfWork, Sandboxes } from './sandboxes.ts'
import { SessionPlace, type SessionPlaceOptions } from './session-place.ts'

export interface RestrictedOptions {
  /** Of the daemon: nothing restricted sees it. Made where it is missing. */
  readonly dataDir: string
  /** Other folders that nothing restricted sees, looked for each time that a sandbox is opened. */
  readonly hidden?: readonly string[] | undefined
  /** Bytes that the changes of all that waits may take together. */
  readonly maxPendingBytes?: number
  readonly log: Logger
}

/** All that runs under restrictions on this machine, and its effects. */
export class Restricted implements AsyncDisposable {
  readonly sandboxes: Sandboxes
  readonly effects: EffectTable
  /** Ends what else works on the files of a view, before its changes are looked at. */
  leave: (viewId: string) => Promise<void> = async () => {}

  constructor({ dataDir: given, hidden = [], maxPendingBytes, log }: RestrictedOptions) {
    mkdirSync(given, { recursive: true, mode: 0o700 })
    // What is hidden is a place on the disk, whatever it is called.
    const dataDir = realpathSync(given)
    const folder = join(dataDir, 'restricted')
    this.sandboxes = new Sandboxes(folder, [dataDir, ...hidden])
    this.effects = new EffectTable({
      folder: join(folder, 'effects'),
      journals: join(folder, 'journals'),
      states: this.sandboxes.states,
      deferred: [dataDir],
      maxPendingBytes,
      log,
    })
  }

  /** A sandbox for one command or file operation. Rejects with `restriction_unenforceable` or `no_space`; nothing ran then. */
  async begin(origin: EffectOrigin, place: PlaceOfWork): Promise<OwnTransaction> {
    if (keepsChanges(origin.restrictions)) this.effects.refuseWhenFull()
    const sandbox = await this.sandboxes.open(origin.restrictions, { ...place, id: origin.effectId })
    try {
      return new OwnTransaction(sandbox, this, origin)
    } catch (error) {
      // Its effect could not be noted.
      await sandbox.discard()
      throw error
    }
  }

  /** Where a session lives; its view is opened with the first that runs in it. */
  newPlace(options: Omit<SessionPlaceOptions, 'sandboxes' | 'effects' | 'leave'>): SessionPlace {
    const { sandboxes, effects } = this
    return new SessionPlace({ ...options, sandboxes, effects, leave: (viewId) => this.leave(viewId) })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sandboxes[Symbol.asyncDispose]()
    await this.effects.close()
  }
}
