import type { AuditListing, StoredAuditRow } from '../store/audit-store.ts'
import type { Store } from '../store/store.ts'
import type { AuditTrail } from './audit-trail.ts'

/** Rows that are read at once. */
const PAGE = 200

/** Milliseconds until it is looked again, for rows that other relays of the set write. */
const LOOK_EVERY_MS = 1000

export interface FollowOptions {
  readonly fleetId: string
  readonly listing: Omit<AuditListing, 'limit' | 'order' | 'after'>
  /** Only rows after this position. */
  readonly after: number
  readonly signal: AbortSignal
}

/** Rows that fit as they become durable, in order, until the signal. */
export async function* followRows(
  { store, trail }: { store: Pick<Store, 'audit'>; trail: AuditTrail },
  { fleetId, listing, after, signal }: FollowOptions,
): AsyncGenerator<StoredAuditRow> {
  let position = after
  let wake = () => {}
  const stop = trail.subscribe((writtenFleet) => {
    if (writtenFleet === fleetId) wake()
  })
  signal.addEventListener('abort', () => wake(), { once: true })
  try {
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => (wake = resolve))
      const page = await store.audit.list(fleetId, { ...listing, order: 'oldest', after: position, limit: PAGE })
      for (const row of page) {
        if (signal.aborted) return
        yield row
      }
      position = page.at(-1)?.position ?? position
      if (page.length === 0 && !signal.aborted) await soon(woken)
    }
  } finally {
    stop()
  }
}

async function soon(woken: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([woken, new Promise((resolve) => (timer = setTimeout(resolve, LOOK_EVERY_MS)))])
  clearTimeout(timer)
}
