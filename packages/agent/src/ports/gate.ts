/**
 * Decides whether a call may run. Every call of a tool passes it, in every agent type, and no setting goes around it.
 * A gate that throws stops the run before the call: what cannot be asked is not done.
 */
export interface Gate {
  decide(request: GateRequest, context: GateContext): Promise<GateDecision>
}

/** A call as it would run. */
export interface GateRequest {
  readonly runId: string
  readonly agentType: string
  readonly machine: { readonly id: string; readonly name: string }
  readonly toolCallId: string
  readonly tool: string
  /** Checked against the tool's schema. */
  readonly input: unknown
  /** SHA-256 over the canonical JSON of machine, tool and input: what an approval is bound to. */
  readonly digest: string
  /** Whether the tool is declared to change nothing. */
  readonly readOnly: boolean
  /** Whether the machine does it, so that the relay and the machine can hold it to an approval. */
  readonly byMachine: boolean
  /** Whether the tool itself asks for a person (`needsApproval` of an AI SDK tool). */
  readonly needsApproval: boolean
  /** Whether the run has read data that looks like instructions; a policy may be stricter then. */
  readonly tainted: boolean
}

/** What a gate may use while it decides. */
export interface GateContext {
  /** Aborted when the run ends. */
  readonly signal: AbortSignal
  /** False: answer `pending` instead of waiting for a person. */
  readonly wait: boolean
  /** Tells whoever watches the run that a person is asked, or has decided. */
  readonly onApproval: (approval: ApprovalNotice) => void
}

/** What is known of an approval. */
export interface ApprovalNotice {
  readonly approvalId: string
  readonly state: 'pending' | 'approved' | 'rejected' | 'expired'
  /** What it is about, for a person. */
  readonly summary?: string | undefined
  /** ISO 8601. */
  readonly expiresAt?: string | undefined
  /** Who decided. */
  readonly by?: string | undefined
}

/** The gate's answer. */
export type GateDecision =
  | {
      readonly decision: 'allow'
      /** What allowed it. */
      readonly rule?: string | undefined
      /** A person's version of the input; it is checked again, runs instead, and the model is told. */
      readonly input?: unknown
      /** The relay has to ask a person before the machine does it; only where {@link GateRequest.byMachine}. */
      readonly ask?: boolean | undefined
    }
  | {
      readonly decision: 'deny'
      /** What denied it, by its name. */
      readonly rule: string
      readonly reason: string
      /** What would permit it. */
      readonly remedy?: string | undefined
    }
  /** A person has not decided, and the run does not wait. */
  | { readonly decision: 'pending'; readonly approvalId: string; readonly expiresAt?: string | undefined }

/** Allows what asks for no person: the relay and the machine still decide about each command. */
export const openGate: Gate = {
  decide: async ({ needsApproval, tool }) =>
    needsApproval
      ? {
          decision: 'deny',
          rule: 'needs-approval',
          reason: `${tool} asks for a person's approval, and this agent has no gate that could ask one.`,
          remedy: 'Give the agent a gate.',
        }
      : { decision: 'allow', rule: 'open' },
}

/**
 * Both must allow: an agent that works for another one is bound by its limits too. The first to deny decides. What the
 * outer gate allowed has been decided by a person where one was needed; the inner gate is not told to ask again.
 */
export function bothGates(outer: Gate, inner: Gate): Gate {
  if (outer === inner || inner === openGate) return outer
  if (outer === openGate) return inner
  return {
    decide: async (request, context) => {
      const first = await outer.decide(request, context)
      if (first.decision !== 'allow') return first
      // An edit makes it another call, which the inner gate has to see as it would run, and cannot.
      if (first.input !== undefined) return deniedEdit
      const { digest } = request
      const second = await inner.decide({ ...request, digest, needsApproval: false }, context)
      return second.decision === 'allow' && first.ask === true ? { ...second, ask: true } : second
    },
  }
}

const deniedEdit: GateDecision = {
  decision: 'deny',
  rule: 'edited-for-outer-agent',
  reason: 'The call was edited for the outer agent, and the inner gate has not seen that version.',
}
