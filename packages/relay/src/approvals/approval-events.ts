import type { ApprovalEvent } from '@cmdop/protocol'
import type { Caller } from '../auth/authenticate.ts'
import type { Bus } from '../bus/bus.ts'
import type { ApprovalEventRow } from '../store/approval-store.ts'
import type { Store } from '../store/store.ts'
import { summaryOf } from './approval-view.ts'

/** Events that are read at once, and pending approvals that are told at first. */
const EVENTS_AT_ONCE = 50
const PENDING_AT_FIRST = 1000

/** How often it is looked where no message of the bus came, in milliseconds. */
const LOOK_EVERY_MS = 2000

export interface FollowOptions {
  readonly store: Store
  readonly bus: Bus
  /** Whose fleet's; the events end with the caller's key. */
  readonly caller: Caller
  /** The position of the last event that was seen; undefined: begin with what is pending. */
  readonly after: number | undefined
  readonly signal: AbortSignal
}

/** What becomes of the approvals of a fleet, from a position on, as it happens. Ends with the signal. */
export async function* followApprovals({
  store,
  bus,
  caller,
  after,
  signal,
}: FollowOptions): AsyncGenerator<{ id: string; data: ApprovalEvent }> {
  const { fleetId } = caller
  const state = { changed: Promise.withResolvers<void>(), isOver: signal.aborted }
  const wake = () => state.changed.resolve()
  const end = () => {
    state.isOver = true
    wake()
  }
  const stop = bus.subscribe((message) => {
    if (message.type === 'approval-changed' && message.fleetId === fleetId) wake()
    if (message.type === 'key-revoked' && caller.ids.has(message.keyId)) end()
    if (message.type === 'principal-changed' && caller.ids.has(message.principalId)) end()
  })
  signal.addEventListener('abort', end, { once: true })
  const timer = setInterval(wake, LOOK_EVERY_MS)
  try {
    // The last position first: what comes while the pending are read is told after them.
    let position = after ?? (await store.approvals.events.last(fleetId))
    const first = after === undefined ? await store.approvals.events.pending(fleetId, PENDING_AT_FIRST) : []
    for (const row of first) if (!state.isOver && row.position <= position) yield* told(store, row)
    while (!state.isOver) {
      state.changed = Promise.withResolvers<void>()
      const rows = await store.approvals.events.list(fleetId, { after: position, limit: EVENTS_AT_ONCE })
      for (const row of rows) {
        if (state.isOver) return
        yield* told(store, row)
        position = row.position
      }
      if (rows.length === 0 && !state.isOver) await state.changed.promise
    }
  } finally {
    clearInterval(timer)
    signal.removeEventListener('abort', end)
    stop()
  }
}

async function* told(store: Store, { position, approvalId, state, at }: ApprovalEventRow) {
  const outline = await store.approvals.outline(approvalId)
  if (outline === undefined) return
  const approval = summaryOf({ ...outline, actionCount: outline.members.length })
  yield { id: String(position), data: { state, at, approval } }
}
