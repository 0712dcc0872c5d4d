import type { AuditHead } from './statements.ts'

/**
 * What is wrong with an export. `changed`: it is not what the relay wrote. `missing`: it is not there. `reordered`: it
 * stands at another place, or twice. `truncated`: the export has no end. `forged`: it is not signed by the relay.
 */
export const auditProblemKinds = ['changed', 'missing', 'reordered', 'truncated', 'forged'] as const

/** The first thing that is wrong with an export, and where. */
export interface AuditProblem {
  readonly kind: (typeof auditProblemKinds)[number]
  /** From 1; where it stands, or should. */
  readonly line: number
  /** Of a row. */
  readonly chain: string | null
  readonly sequence: number | null
  /** Of a checkpoint. */
  readonly checkpoint: number | null
  readonly message: string
}

/** What an export proves. */
export interface AuditVerification {
  readonly ok: boolean
  readonly fleetId: string | null
  readonly relayId: string | null
  /** When the relay ended the export; null where there is no end. */
  readonly at: string | null
  /** The checkpoint after which it begins; 0 for one from the very first row on. */
  readonly begins: number
  readonly rows: number
  readonly chains: readonly AuditHead[]
  readonly checkpoints: number
  readonly firstProblem: AuditProblem | null
}
