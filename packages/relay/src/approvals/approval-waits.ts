import { type ApprovalInfo, CmdopError } from '@cmdop/protocol'
import type { Bus } from '../bus/bus.ts'
import type { Store } from '../store/store.ts'
import { readView } from './approval-view.ts'

/** Waits for people. */
export class ApprovalWaits {
  readonly #store: Store
  readonly #bus: Bus

  constructor({ store, bus }: { store: Store; bus: Bus }) {
    this.#store = store
    this.#bus = bus
  }

  /** An approval of this fleet: once it is not pending any more, or as it is after `waitMs`. Throws `not_found`. */
  async ofFleet(fleetId: string, approvalId: string, waitMs: number): Promise<ApprovalInfo> {
    const changed = Promise.withResolvers<void>()
    const state = { changed }
    const stop = this.#bus.subscribe((message) => {
      if (message.type === 'approval-changed' && message.approvalId === approvalId) state.changed.resolve()
    })
    const end = Date.now() + waitMs
    try {
      for (;;) {
        // Read after subscribing, so that no change falls between.
        const next = Promise.withResolvers<void>()
        state.changed = next
        const found = await readView(this.#store, approvalId)
        if (found?.outline.row.fleetId !== fleetId)
          throw new CmdopError('not_found', 'There is no such approval in your fleet.')
        const { row } = found.outline
        const leftMs = Math.min(end, Date.parse(row.expiresAt) + EXPIRY_MARGIN_MS) - Date.now()
        if (row.state !== 'pending' || leftMs <= 0) return found.info
        await atMost(next.promise, leftMs)
      }
    } finally {
      stop()
    }
  }
}

/** Milliseconds after its expiry in which an approval has been marked so. */
const EXPIRY_MARGIN_MS = 1500

async function atMost(promise: Promise<void>, ms: number): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(late.resolve, ms)
  await Promise.race([promise, late.promise]).finally(() => clearTimeout(timer))
}
