import type { Store } from '../store/store.ts'
import { isUseOld } from './authenticate.ts'
import { type OwnerOf, ownerIn } from './owner.ts'

/** Milliseconds for which an owner is not read again: after that long a key that another relay revoked is refused. */
const RECENT_MS = 500

/** Owners that are kept; more are read each time. */
const MAX_RECENT = 10_000

/**
 * Whose a key is, as it was a moment ago, for a route that scripts call in every step. Of every key that is revoked and
 * every principal that changes it must hear ({@link forget}); what stood before that is not used from then on.
 */
export class RecentOwners {
  readonly #ownerIn: OwnerOf
  readonly #recent = new Map<string, ReturnType<OwnerOf>>()

  constructor(store: Store) {
    this.#ownerIn = ownerIn(store)
  }

  readonly of: OwnerOf = (keyId) => this.#recent.get(keyId) ?? this.#read(keyId)

  /** Everybody: who acts for whom is not looked up for something that is rare. */
  forget(): void {
    this.#recent.clear()
  }

  /** Kept before it is there, so that what is forgotten meanwhile is not kept after all. */
  #read(keyId: string): ReturnType<OwnerOf> {
    const owner = this.#ownerIn(keyId)
    if (this.#recent.size >= MAX_RECENT) return owner
    this.#recent.set(keyId, owner)
    const forget = () => {
      if (this.#recent.get(keyId) === owner) this.#recent.delete(keyId)
    }
    setTimeout(forget, RECENT_MS).unref()
    owner.then(({ key }) => {
      // A use that is still to be noted would be noted each time.
      if (key === undefined || isUseOld(key)) forget()
    }, forget)
    return owner
  }
}
