import { type ApprovalOptions, type CallApproval, requiredApproval } from '@cmdop/core'
import { CARRY_PREFIX, isCmdopError } from '@cmdop/protocol'
import * as z from 'zod/v4'
import type { ApprovalNotice, GateDecision } from '../ports/gate.ts'

/** Details of `policy_denied`. */
const PolicyDetails = z.object({ rule: z.string().optional(), permittedBy: z.string().optional() })

/** How one call of a run deals with people who have to approve what the machine does for it. */
export class CallApprovals {
  readonly options: ApprovalOptions
  readonly #notices: ApprovalNotice[] = []
  #wake = Promise.withResolvers<void>()
  #edited: Readonly<Record<string, unknown>> | undefined

  /** `waits` and `goesOn`: called when the call begins to wait for a person, and before it goes on. */
  constructor(
    { ask, wait }: Pick<ApprovalOptions, 'ask' | 'wait'>,
    turns: { readonly waits: () => void; readonly goesOn: () => Promise<void> },
  ) {
    this.options = {
      wait,
      ...(ask === true ? { ask } : {}),
      onApproval: async (given) => {
        this.#notices.push(noticeOf(given))
        this.#wake.resolve()
        if (given.state === 'pending') turns.waits()
        else await turns.goesOn()
        this.#edited = given.edited ?? this.#edited
      },
    }
  }

  /** Resolves when there is something to tell. */
  get news(): Promise<void> {
    return this.#wake.promise
  }

  /** What there is to tell, once. */
  take(): ApprovalNotice[] {
    this.#wake = Promise.withResolvers()
    return this.#notices.splice(0)
  }

  /** The input as a person changed it; undefined when nobody did. */
  editedInput(input: unknown): unknown {
    if (this.#edited === undefined || typeof input !== 'object' || input === null) return undefined
    return { ...input, ...shown(this.#edited) }
  }
}

/** What a refusal of the relay is to the run; undefined: something else. */
export function refusalOf(error: unknown): Exclude<GateDecision, { decision: 'allow' }> | undefined {
  const required = requiredApproval(error)
  if (required !== undefined) return { decision: 'pending', ...required }
  if (!isCmdopError(error)) return undefined
  const { code, message, details } = error
  if (code === 'policy_denied') {
    const { rule = code, permittedBy: remedy } = PolicyDetails.parse(details)
    return { decision: 'deny', rule, reason: message, remedy }
  }
  if (code !== 'approval_denied' || details['doNotRetry'] === false) return undefined
  return { decision: 'deny', rule: 'rejected', reason: message }
}

function noticeOf({ approvalId, state, summary, expiresAt, by }: CallApproval): ApprovalNotice {
  const decided = {
    approved: 'approved',
    executing: 'approved',
    done: 'approved',
    pending: 'pending',
    expired: 'expired',
  }
  const known = (decided as Partial<Record<string, ApprovalNotice['state']>>)[state] ?? 'rejected'
  return { approvalId, state: known, summary, expiresAt, ...(by.length === 0 ? {} : { by: by.join(', ') }) }
}

/** Without what the run puts in front of a command. */
function shown(edited: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { command } = edited
  if (typeof command !== 'string' || !command.startsWith(CARRY_PREFIX)) return edited
  return { ...edited, command: command.slice(CARRY_PREFIX.length) }
}
