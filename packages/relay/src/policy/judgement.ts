import type { Danger } from '@cmdop/protocol'

/** What the policy of a fleet says of a call. */
export interface Judgement {
  readonly decision: 'allow' | 'ask' | 'deny'
  /** The rule that decides, the floor or the mode: `fleet:no-restarts`, `floor:catastrophic`, `mode:default`. */
  readonly rule: string
  readonly reason: string
  /** What would permit it, in a sentence. */
  readonly permittedBy: string
  readonly danger: Danger
  readonly dangerReason: string
  /** Whether something is deleted, or may be, or is catastrophic: no grant covers it. */
  readonly deletes: boolean
}
