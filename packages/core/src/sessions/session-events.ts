import type { Lease, SessionEnd, SessionInputRefused, SessionLease, TerminalSize } from '@cmdop/protocol'

/** What happens in a session, for who is attached to it. `end` comes exactly once, as the last. */
export type SessionEvent =
  /** Bytes of the terminal; `offset` is the position of the first one in all output of the session. */
  | { readonly type: 'output'; readonly data: Uint8Array; readonly offset: number }
  /**
   * The screen as it is at `offset`, where output goes on: at first, and where output before it is not kept or, for an
   * observer, was skipped. `data` paints it on a terminal of this size that was reset.
   */
  | { readonly type: 'snapshot'; readonly data: Uint8Array; readonly size: TerminalSize; readonly offset: number }
  /** The terminal has another size now. */
  | { readonly type: 'resized'; readonly size: TerminalSize }
  /** Another operator may type now, or nobody; or somebody waits for it. */
  | { readonly type: 'lease'; readonly lease: Lease | null; readonly waiting: SessionLease['waiting'] }
  /** Input, or a request for the lease, was not taken; `code` is an error code. */
  | ({ readonly type: 'input-refused' } & Omit<SessionInputRefused, 'type'>)
  /**
   * The connection was lost, and is restored by itself. `resumed`: as if nothing had been. `rejoined`: the machine no
   * longer knew this participant, so its lease is gone and input that was under way may not have arrived; it is not
   * sent again.
   */
  | { readonly type: 'connection'; readonly state: 'lost' | 'resumed' | 'rejoined' }
  /** The session is over; `state` is `running` when it goes on and only this participant has left. */
  | ({ readonly type: 'end' } & SessionEnd)

/**
 * A place in a session. Iterate it for its events; a loop that was left can be taken up again. A lost connection is
 * restored by itself until the session is over: every byte of output and every byte of input once. An operator that does
 * not read stops the session's output; an observer gets a snapshot instead of what it missed.
 */
export interface Attachment extends AsyncIterable<SessionEvent>, AsyncDisposable {
  readonly sessionId: string
  readonly participantId: string
  readonly mode: 'operator' | 'observer'
  /** Of the session's terminal. */
  readonly size: TerminalSize
  /** Who may type now; null: nobody. */
  readonly lease: Lease | null
  /** Whether that is this participant. */
  readonly holdsLease: boolean
  /**
   * Types. Resolves when it is on its way; waits while there is no connection. What the machine does not take comes back as
   * `input-refused`. Throws `permission` for an observer, `input_overflow` when too much waits, `conflict` after the end.
   */
  write(data: string | Uint8Array): Promise<void>
  /** This operator's terminal has another size; the session has it while this operator has the lease. */
  resize(size: TerminalSize): void
  /** Asks for the lease; the answer comes as `lease`, or as `input-refused`. The same goes for the other three. */
  requestLease(): Promise<void>
  /** Takes the lease: a person from an AI, at once. From another person it is `conflict`; ask for it instead. */
  takeLease(): Promise<void>
  /** Gives the lease to another operator. */
  grantLease(participantId: string): Promise<void>
  /** Lets go of the lease. */
  releaseLease(): Promise<void>
  /** Leaves; the session goes on. Idempotent. */
  detach(): Promise<void>
}
