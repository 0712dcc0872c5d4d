import {
  CmdopError,
  ExecEnd,
  decodeJson,
  isRestMethod,
  isCmdopError,
  isMethodName,
  methods,
  type Open,
  refuseLate,
  type SignedApproval,
  type SignedPermit,
  toCmdopError,
} from '@cmdop/protocol'
import { z } from 'zod'
import type { Admitted } from '../approvals/approval-desk.ts'
import type { HowEnded } from '../approvals/transitions.ts'
import type { Caller } from '../auth/authenticate.ts'
import type { AuditIntent, AuditTrail } from '../audit/audit-trail.ts'
import { actorOf, type AuditEntry, type AuditOutcome } from '../audit/entry.ts'
import { authorise } from '../auth/authorise.ts'
import { operatorOf } from '../auth/operator-of.ts'
import { assertUsable } from '../auth/owner.ts'
import { actionDigest, type PermitSigner } from '../permits.ts'
import type { AuditRow, MachineRow, Store } from '../store/store.ts'
import { type Admission, howEnded } from './admission.ts'
import { InputMeter, type Meter } from './input-meter.ts'
import { quarantined } from './quarantine.ts'
import type { RouteEnd } from './route.ts'
import type { GoingFleetRuns } from '../fleet-runs/going-fleet-runs.ts'
import type { Router } from './router.ts'
import type { RunReach } from './run-reach.ts'
import { isTunnelMethod, type TunnelGate, tunnelSubject } from '../tunnels/tunnel-gate.ts'

export interface GateOptions {
  readonly store: Store
  readonly audit: AuditTrail
  readonly router: Router
  readonly signer: PermitSigner
  readonly admission: Admission
  readonly reach: RunReach
  readonly fleetRuns: GoingFleetRuns
  readonly tunnels: TunnelGate
  /** A call was allowed (`ok`) or not; for the metrics. */
  readonly decided: (method: string, code: string) => void
  /** A row that follows an intent could not be written; the intent stays, and the log says so. */
  readonly outcomeFailed: (error: unknown, intent: AuditRow) => void
  /** How an approval was used could not be written; it stays `executing` until it expires. */
  readonly approvalFailed: (error: unknown, approvalId: string) => void
}

/**
 * Milliseconds an outcome waits for the call that may come next to have been sent to its machine: nobody waits for an
 * outcome, and its commit would hold up that call's intent. What waits together shares a commit.
 */
const OUTCOME_WAIT_MS = 10

/** Characters of an id that a client made up. */
const MAX_ID_LENGTH = 64

/** A call that is allowed. */
export interface Decided {
  readonly machine: MachineRow
  readonly permit: SignedPermit
  /** Where people had to approve it. */
  readonly approval: SignedApproval | undefined
  readonly settled: (outcome: Uint8Array | CmdopError) => void
  /** Uses the approval; the last thing before the call is sent. Throws `approval_denied`, `approval_void`. */
  readonly begin: () => Promise<void>
  /** Nothing of it has reached the machine; before `settled`. */
  readonly unused: () => void
  /** Counts what the caller sends, where the method takes input, and of a tunnel what comes back, too. */
  readonly meter: Meter | undefined
}

/**
 * The one way to a machine: authorise, write the intent, sign the permit, join the channels, and write the outcome when
 * it is over. A refusal is written too. If the intent cannot be written, nothing happens.
 */
export class Gate {
  readonly #options: GateOptions
  readonly #pending = new Set<Promise<void>>()
  #outcomes: { intent: AuditIntent; end: AuditOutcome }[] = []
  #timer: NodeJS.Timeout | undefined
  /** Calls that are being decided. */
  #deciding = 0

  constructor(options: GateOptions) {
    this.#options = options
  }

  /** Decides about a call of a client. Throws what the client is told. */
  async open(caller: Caller, given: Open, end: RouteEnd): Promise<void> {
    const open = await this.#options.tunnels.completed(given)
    const acting = open.operator === undefined ? caller : operatorOf(caller)
    this.#deciding += 1
    const decided = await this.decide(acting, open).finally(() => (this.#deciding -= 1))
    const { machine, permit, approval, settled, begin, unused, meter } = decided
    let over = settled
    try {
      const peer = await this.#options.router.open(machine)
      await begin()
      // The caller may have given up, or lost its right, while the machine was looked for.
      assertUsable(caller.key)
      if (end.closed)
        throw new CmdopError('cancelled', 'The caller is gone, or does not want it any more; nothing ran.')
      if (open.fleetRunId !== undefined) this.#options.fleetRuns.assertGoing(open.fleetRunId, open.method)
      assertInTime(open)
      const left = this.#options.tunnels.enter(open, end)
      over = (outcome) => {
        left()
        settled(outcome)
      }
      peer.join(end, { ...open, permit, ...(approval === undefined ? {} : { approval }) }, { settled: over, meter })
      // Where others are being decided, more outcomes come soon, and the intents of those go first.
      if (this.#deciding === 0) this.#writeOutcomes()
    } catch (cause) {
      const error = toCmdopError(cause, 'server', 'The relay could not reach the machine.')
      unused()
      over(error)
      throw error
    }
  }

  /**
   * Authorises a call, writes its intent and signs its permit. Whoever gets it calls `settled` once, with the trailer of
   * the call or why there is none. `requestId`: of the ask whose operator makes the call. Throws the refusal, which is a
   * row too.
   */
  async decide(caller: Caller, open: Open, requestId: string | null = null): Promise<Decided> {
    const machine = this.#options.router.row(open.target) ?? (await this.#options.store.machines.get(open.target))
    const digest = actionDigest(open)
    const entry = { ...entryOf(caller, open, machine), digest, requestId }
    const refusal = refuse(caller, open, machine)
    if (refusal !== undefined || machine === undefined) {
      const error = refusal ?? new CmdopError('not_found', 'There is no such machine in your fleet.')
      await this.#deny(entry, open, error)
      throw error
    }
    const { judgement, admitted } = await this.#admit(caller, open, { machine, entry })
    const action = open.method
    const approvalId = admitted?.approvalId ?? null
    const intent = this.#options.audit.intent({ ...entry, rule: judgement.rule, approvalId })
    const { id: intentId } = intent
    // Signed while the intent is being written, and given away only once it is.
    const [, permit] = await Promise.all([
      intent.written,
      endOfTick().then(() =>
        this.#options.signer.sign({ open, caller, machine, action, digest, intentId, approvalId }),
      ),
    ])
    this.#options.decided(open.method, 'ok')
    const counted = takesInput(open) ? new InputMeter((input) => this.#progress(intent, input)) : undefined
    const meter = this.#options.tunnels.meterOf(open) ?? counted
    const settled = this.#outcome(intent, { meter, admitted })
    const unused = () => this.#endApproval(admitted, 'unused')
    const begin = async () => await admitted?.begin()
    return { machine, permit, approval: admitted?.signed, meter, settled, begin, unused }
  }

  /** Refuses a call before anything is decided about it: what may not be called in this way. Throws the refusal, which is a row too. */
  async refuse(caller: Caller, open: Open, error: CmdopError, requestId: string | null = null): Promise<never> {
    const machine = this.#options.router.row(open.target) ?? (await this.#options.store.machines.get(open.target))
    await this.#deny({ ...entryOf(caller, open, machine), requestId }, open, error)
    throw error
  }

  async #deny(entry: AuditEntry, { method }: Open, { code }: CmdopError): Promise<void> {
    await this.#options.audit.deny({ ...entry, code })
    this.#options.decided(isMethodName(method) ? method : 'unknown', code)
  }

  /** Whose run it is, how many machines that may reach, and what the policy and people say. A refusal is a row too. */
  async #admit(
    caller: Caller,
    open: Open,
    { machine, entry }: { machine: MachineRow; entry: AuditEntry },
  ): ReturnType<Admission['admit']> {
    const { reach, admission, fleetRuns, tunnels } = this.#options
    try {
      // The relay itself asks what a call would do; that call counts.
      if (open.method === 'action.describe') return await admission.admit(caller, open, machine)
      const { operator, fleetRunId } = open
      if (fleetRunId !== undefined) {
        await fleetRuns.assertOwn(caller, fleetRunId)
        fleetRuns.assertGoing(fleetRunId, open.method)
      }
      const operatorsRun = operator === undefined ? null : await reach.runOf(caller, operator.runId)
      // What operators do on many machines counts together.
      const run = fleetRunId ?? operatorsRun
      reach.assertRoom(caller, run, machine.id)
      await tunnels.admit(caller, open)
      const admitted = await admission.admit(caller, open, machine)
      // Others may have come meanwhile.
      reach.count(caller, run, machine.id)
      return admitted
    } catch (cause) {
      const error = toCmdopError(cause, 'server', 'The relay could not decide about the call; nothing ran.')
      const { rule, approvalId } = Refusal.parse(error.details)
      const asks = error.code === 'approval_required'
      const row = { ...entry, rule: rule ?? null, approvalId: approvalId ?? null, code: error.code }
      await this.#deny(asks ? { ...row, decision: 'ask' } : row, open, error)
      throw error
    }
  }

  #endApproval(admitted: Admitted | undefined, how: HowEnded | undefined): void {
    if (admitted === undefined || how === undefined) return
    const ended = admitted
      .ended(how)
      .catch((error: unknown) => this.#options.approvalFailed(error, admitted.approvalId))
    const pending = ended.finally(() => this.#pending.delete(pending))
    this.#pending.add(pending)
  }

  /** Resolves when every outcome so far is written. */
  async flush(): Promise<void> {
    this.#writeOutcomes()
    await Promise.all(this.#pending)
  }

  #outcome(
    intent: AuditIntent,
    { meter, admitted }: { meter: Meter | undefined; admitted: Admitted | undefined },
  ): Decided['settled'] {
    const startedAt = performance.now()
    return (outcome) => {
      this.#endApproval(admitted, howEnded(outcome))
      const durationMs = Math.round(performance.now() - startedAt)
      this.#outcomes.push({ intent, end: { ...outcomeOf(outcome), ...meter?.end(), durationMs } })
      this.#timer ??= setTimeout(() => this.#writeOutcomes(), OUTCOME_WAIT_MS)
    }
  }

  #progress(intent: AuditIntent, input: { bytes: number; offset: number }): void {
    this.#follow(intent, this.#options.audit.progress(intent, input))
  }

  #writeOutcomes(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const { intent, end } of this.#outcomes.splice(0))
      this.#follow(intent, this.#options.audit.outcome(intent, end))
  }

  #follow({ row }: AuditIntent, writing: Promise<void>): void {
    const written = writing
      .catch((error: unknown) => this.#options.outcomeFailed(error, row))
      .finally(() => this.#pending.delete(written))
    this.#pending.add(written)
  }
}

/** Resolves after what this tick asks of the store has been sent to it. */
function endOfTick(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve))
}

function refuse(caller: Caller, open: Open, machine: MachineRow | undefined): CmdopError | undefined {
  const unusable = refuseKey(caller)
  if (unusable !== undefined) return unusable
  if (!isMethodName(open.method)) return new CmdopError('unsupported', `No machine knows the method ${open.method}.`)
  const present = machine?.disabledAt === null ? machine : undefined
  const target = present && { fleetId: present.fleetId, machine: present }
  const decision = authorise(caller, methods[open.method].action, target)
  if (!decision.allowed) return new CmdopError(decision.code, decision.reason)
  const skilled = open.params['skill'] === undefined ? decision : authorise(caller, 'skill.run', target)
  if (!skilled.allowed) return new CmdopError(skilled.code, skilled.reason)
  if (present !== undefined && present.quarantinedAt !== null) return quarantined(present)
  const late = refuseLate(open.params['notAfter'], Date.now())
  if (late !== undefined) return late
  if (open.permit !== undefined || open.approval !== undefined)
    return new CmdopError('validation', 'Expected no permit and no approval from a client; the relay signs them.')
  return undefined
}

/** People, or the machine, may have taken long. Throws `expired`. */
function assertInTime({ params }: Open): void {
  const late = refuseLate(params['notAfter'], Date.now())
  if (late !== undefined) throw late
}

/** A key may expire or be revoked while its connection lives. */
function refuseKey({ key }: Caller): CmdopError | undefined {
  try {
    assertUsable(key)
    return undefined
  } catch (cause) {
    return toCmdopError(cause, 'auth', 'The API key may not be used.')
  }
}

/** What goes to the operator of a machine is not counted: a PIN is, and its length is nobody's business. */
function takesInput({ method }: Open): boolean {
  return isMethodName(method) && methods[method].input && !isRestMethod(method)
}

/** What the details of a refusal say for its row. */
const Refusal = z.object({ rule: z.string().optional(), approvalId: z.string().optional() })

/** What a row says of a call. */
function entryOf(caller: Caller, open: Open, machine: MachineRow | undefined): AuditEntry {
  const { sessionId } = open.params
  return {
    ...actorOf(caller),
    action: open.method,
    machineId: machine?.fleetId === caller.fleetId ? machine.id : null,
    sessionId: typeof sessionId === 'string' ? sessionId.slice(0, MAX_ID_LENGTH) : null,
    callId: open.callId,
    ...(isTunnelMethod(open.method) ? { subject: tunnelSubject(caller, open) } : {}),
    ...(open.fleetRunId === undefined ? {} : { runId: open.fleetRunId }),
    ...open.operator,
  }
}

function outcomeOf(outcome: Uint8Array | CmdopError): AuditOutcome {
  const end = isCmdopError(outcome) ? undefined : execEnd(outcome)
  return {
    code: isCmdopError(outcome) ? outcome.code : end === undefined || end.reason === 'exited' ? null : end.reason,
    exitCode: end?.exitCode ?? null,
  }
}

/** Of an exec: how it ended. Every other method's trailer is none. */
function execEnd(trailer: Uint8Array): ExecEnd | undefined {
  try {
    return trailer.length === 0 ? undefined : ExecEnd.safeParse(decodeJson(trailer)).data
  } catch {
    return undefined
  }
}
