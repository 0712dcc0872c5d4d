import type { Machine, ApprovalInfo } from '@cmdop/core'
import { type Gate, type GateContext, type GateDecision, type GateRequest, openGate } from '../ports/gate.ts'
import { failureOfOwn } from '../run/own-function.ts'

/**
 * About which calls of a run people are asked, beside those that the policy of the fleet asks about: each, those that are not
 * declared to change nothing, or those for which the function says true.
 */
export type Asks = 'always' | 'changes' | ((call: AskedCall) => boolean | Promise<boolean>)

/** A call, for whoever decides whether people are asked about it. */
export type AskedCall = Pick<GateRequest, 'tool' | 'input' | 'machine' | 'readOnly' | 'tainted' | 'agentType' | 'runId'>

/**
 * Asks people where a run says so, or a tool, once the gate has allowed the call. What the machine does is asked about by the
 * relay, and held by the machine to exactly that; any other tool is held by the run itself.
 */
export function approvalGate(gate: Gate, asks: Asks | undefined, machine: Machine): Gate {
  const { approvals } = machine
  // Only this gate could deny what a tool wants people for.
  const answersTools = gate === openGate && approvals !== undefined
  if (asks === undefined && !answersTools) return gate
  return {
    decide: async (request, context) => {
      const isAsked = await isAskedAbout(request, asks)
      const decision = await gate.decide(
        answersTools ? { ...request, digest: request.digest, needsApproval: false } : request,
        context,
      )
      if (decision.decision !== 'allow') return decision
      if (!isAsked && !(answersTools && request.needsApproval)) return decision
      if (request.byMachine) return { ...decision, ask: true }
      return approvals === undefined ? nobodyToAsk : await askAbout(request, context, approvals)
    },
  }
}

const nobodyToAsk: GateDecision = {
  decision: 'deny',
  rule: 'needs-approval',
  reason: 'A person has to approve this call, and there is no relay here that could ask one.',
}

async function isAskedAbout(request: GateRequest, asks: Asks | undefined): Promise<boolean> {
  if (asks === undefined) return false
  if (typeof asks === 'string') return asks === 'always' || !request.readOnly
  try {
    const answer: unknown = await asks(request)
    // Whoever forgets to answer is asked.
    return answer !== false
  } catch (error) {
    throw failureOfOwn('function `approval` of this run', error)
  }
}

async function askAbout(
  { tool, input, machine, runId, agentType }: GateRequest,
  { signal, wait, onApproval }: GateContext,
  approvals: NonNullable<Machine['approvals']>,
): Promise<GateDecision> {
  const params = { tool, input }
  const title = `${tool} for a run on ${machine.name}`.slice(0, 256)
  const actions = [{ machineId: machine.id, method: 'tool', params }]
  const asked = await approvals.request({ title, actions, runId, agentType }, { signal })
  const approvalId = asked.id
  const expiresAt = asked.expiresAt
  onApproval({ approvalId, state: 'pending', summary: title, expiresAt })
  if (!wait) return { decision: 'pending', approvalId, expiresAt }
  const decided = await approvals.decided(approvalId, { callId: approvalId, signal })
  const by = decided.votes.map(({ personName: name }) => name).join(', ')
  const isApproved = decided.state === 'approved'
  onApproval({ approvalId, state: isApproved ? 'approved' : 'rejected', expiresAt, by })
  return isApproved ? allowedBy(decided, input) : deniedBy(decided)
}

function allowedBy({ id, actions: [action] }: ApprovalInfo, proposed: unknown): GateDecision {
  const edited = action?.edited?.['input']
  const input = edited === undefined || edited === proposed ? {} : { input: edited }
  return { decision: 'allow', rule: `approval:${id}`, ...input }
}

function deniedBy({ votes, state }: ApprovalInfo): GateDecision {
  const vote = votes.find((each) => each.vote === 'deny')
  if (vote === undefined) return { decision: 'deny', rule: 'expired', reason: `Nobody approved the call (${state}).` }
  const why = vote.reason === '' ? '' : `: ${vote.reason}`
  return { decision: 'deny', rule: 'rejected', reason: `${vote.personName} rejected the call${why}.` }
}
