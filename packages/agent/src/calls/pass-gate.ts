import { createHash } from 'node:crypto'
import { canonicalJson, CmdopError } from '@cmdop/protocol'
import type { ProposedCall } from '../model/model-step.ts'
import type { ApprovalNotice, Gate, GateContext, GateDecision, GateRequest } from '../ports/gate.ts'
import { failureOfOwn } from '../run/own-function.ts'
import { unlessAborted } from '../run/patience.ts'
import type { ProgressEvent } from '../run/run-events.ts'
import type { Tool } from '../tools/tool.ts'
import { type CallEnd, type Denial, failedCall } from './call-end.ts'
import type { CallContext } from './call-context.ts'
import { emitted } from './merged.ts'

/** Times the model may ask again for what was denied, before the run ends. */
const maxDeniedRepeats = 3

/** A call that may run, with the input that may. */
export interface PermittedCall {
  readonly permitted: true
  readonly input: unknown
  readonly digest: () => string
  /** Said to the model before the result, where a person changed the call. */
  readonly note: string | undefined
  /** Whether a person has to approve what the machine is asked to do. */
  readonly ask?: boolean | undefined
}

/** What an approval is bound to: machine, tool and input, and nothing else. */
export function callDigest(machineId: string, tool: string, input: unknown): string {
  const text = canonicalJson({ machineId, tool, input: JSON.parse(JSON.stringify(input ?? null)) as unknown })
  return createHash('sha256').update(text).digest('hex')
}

function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined
  return () => (made ??= { value: make() }).value
}

/** Asks the gate. What was denied once in a run is not asked again. */
export async function* passGate(
  { tool, call, input }: { tool: Tool; call: ProposedCall; input: unknown },
  context: CallContext,
): AsyncGenerator<ProgressEvent, PermittedCall | (CallEnd & { readonly permitted?: never }), void> {
  const { task, state, signal } = context
  const { id, name } = task.machine
  const digest = once(() => callDigest(id, tool.name, input))
  const again = context.denials.size === 0 ? undefined : context.denials.get(digest())
  if (again !== undefined) return repeated(again, context)
  const request: GateRequest = {
    runId: state.runId,
    agentType: task.type.name,
    machine: { id, name },
    toolCallId: call.toolCallId,
    tool: tool.name,
    input,
    get digest() {
      return digest()
    },
    readOnly: tool.readOnly,
    byMachine: tool.byMachine === true,
    needsApproval: (await tool.needsApproval?.(input)) ?? false,
    tainted: state.tainted,
  }
  const decision = yield* emitted<ProgressEvent, GateDecision>((emit) =>
    decided(task.gate, request, {
      signal,
      wait: task.waitsForApproval,
      onApproval: (notice) => emit({ type: 'approval', tool: tool.name, toolCallId: call.toolCallId, ...notice }),
    }),
  )
  signal.throwIfAborted()
  if (decision.decision === 'allow') return await allowed(decision, { tool, input, digest, machineId: id })
  return decision.decision === 'deny' ? denied(decision, request, context) : pending(decision, request, context)
}

/**
 * What the gate decides. It is not waited for beyond the end of the run, nor beyond the time at which an approval that it announced
 * expires: then the call is denied.
 */
async function decided(gate: Gate, request: GateRequest, { signal, wait, onApproval }: GateContext) {
  const over = new AbortController()
  const expired = Promise.withResolvers<GateDecision>()
  let timer: NodeJS.Timeout | undefined
  const expire = ({ approvalId }: ApprovalNotice): void => {
    onApproval({ approvalId, state: 'expired' })
    expired.resolve(expiredDecision)
    over.abort(new CmdopError('deadline', 'The approval has expired.'))
  }
  const noticed = (notice: ApprovalNotice): void => {
    clearTimeout(timer)
    onApproval(notice)
    const leftMs = notice.state === 'pending' ? Date.parse(notice.expiresAt ?? '') - Date.now() : Number.NaN
    if (leftMs <= LONGEST_TIMER_MS) timer = setTimeout(() => expire(notice), Math.max(0, leftMs))
  }
  const either = AbortSignal.any([signal, over.signal])
  const asked = async () => gate.decide(request, { signal: either, wait, onApproval: noticed })
  const answered = asked().catch((error: unknown) => {
    throw failureOfOwn('gate of this agent', error)
  })
  try {
    return await unlessAborted(Promise.race([expired.promise, answered]), signal)
  } finally {
    clearTimeout(timer)
  }
}

/** A longer time than this, in milliseconds, is more than a timer takes. */
const LONGEST_TIMER_MS = 2_147_483_647

const expiredDecision: GateDecision = {
  decision: 'deny',
  rule: 'expired',
  reason: 'Nobody decided before the approval expired.',
  remedy: 'A person has to approve it in time.',
}

async function allowed(
  decision: Extract<GateDecision, { decision: 'allow' }>,
  { tool, input, digest, machineId }: { tool: Tool; input: unknown; digest: () => string; machineId: string },
): Promise<PermittedCall | CallEnd> {
  const { ask } = decision
  if (decision.input === undefined) return { permitted: true, input, digest, note: undefined, ask }
  try {
    const edited = await tool.parse(decision.input)
    const digest = (): string => callDigest(machineId, tool.name, edited)
    return { permitted: true, input: edited, digest, note: editNote(edited), ask }
  } catch (error) {
    return failedCall(`Not executed: a person changed the input of this call, and it does not fit. ${String(error)}`)
  }
}

/** What the model is told of a person's version. */
export function editNote(edited: unknown): string {
  return `A person changed the input of this call before it ran, to: ${JSON.stringify(edited)}`
}

/** The end of a call that was denied, by the gate or by the relay. */
export function denied(
  { rule, reason, remedy }: Extract<GateDecision, { decision: 'deny' }>,
  { toolCallId, tool, input, digest }: Pick<GateRequest, 'toolCallId' | 'tool' | 'input' | 'digest'>,
  { state, denials, task }: CallContext,
): CallEnd {
  const shown = task.redactor.value(input)
  state.denied.push({ toolCallId, tool, input: shown, rule, reason, remedy: remedy ?? null })
  const permit = remedy === undefined ? '' : ` It would be permitted so: ${remedy}`
  const text = `Not executed. The rule "${rule}" denied it: ${reason}${permit} Do not ask for it again; find another way, or say what you could not do.`
  const denial: Denial = { digest, rule, reason, remedy: remedy ?? null, text, repeats: 0 }
  denials.set(digest, denial)
  return { ...failedCall(text, 'denied'), denial }
}

/** Denied already: no person is asked twice for the same thing, and a model that does not stop is stopped. */
function repeated(former: Denial, { denials }: CallContext): CallEnd {
  const denial = { ...former, repeats: former.repeats + 1 }
  const { digest, text, repeats } = denial
  denials.set(digest, denial)
  const end = { ...failedCall(text, 'denied'), denial }
  if (repeats < maxDeniedRepeats) return end
  const fatal = new CmdopError('permission', `The model asked ${repeats + 1} times for a call that was denied. ${text}`)
  return { ...end, fatal }
}

/** The end of a call, for now, that a person has not decided about. */
export function pending(
  { approvalId, expiresAt }: Pick<Extract<GateDecision, { decision: 'pending' }>, 'approvalId' | 'expiresAt'>,
  { toolCallId }: Pick<GateRequest, 'toolCallId'>,
  { state }: CallContext,
): CallEnd {
  state.approvals.push({ approvalId, toolCallId, expiresAt: expiresAt ?? null })
  return failedCall(`Not executed yet: a person has to approve it (${approvalId}).`, 'pending')
}
