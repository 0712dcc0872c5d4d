import {
  CmdopError,
  ExecEnd,
  decodeJson,
  isCmdopError,
  isMethodName,
  methods,
  type Open,
  type SignedPermit,
  toCmdopError,
} from '@cmdop/protocol'
import type { Caller } from '../auth/authenticate.ts'
import { authorise } from '../auth/authorise.ts'
import { assertUsable } from '../auth/owner.ts'
import { newId } from '../auth/secrets.ts'
import { actionDigest, type PermitSigner } from '../permits.ts'
import type { AuditRow, MachineRow, Store } from '../store/store.ts'
import { quarantined } from './quarantine.ts'
import type { RouteEnd } from './route.ts'
import type { Router } from './router.ts'

export interface GateOptions {
  readonly store: Store
  readonly router: Router
  readonly signer: PermitSigner
  /** A call was allowed (`ok`) or not; for the metrics. */
  readonly decided: (method: string, code: string) => void
  /** An outcome row could not be written; the intent stays, and the log says so. */
  readonly outcomeFailed: (error: unknown, row: AuditRow) => void
}

/**
 * Milliseconds an outcome waits for the call that may come next to have been sent to its machine: nobody waits for an
 * outcome, and its commit would hold up that call's intent. What waits together shares a commit.
 */
const OUTCOME_WAIT_MS = 10

type Intent = Omit<AuditRow, 'decision' | 'code'>

/** A call that is allowed. */
export interface Decided {
  readonly machine: MachineRow
  readonly permit: SignedPermit
  readonly settled: (outcome: Uint8Array | CmdopError) => void
}

/**
 * The one way to a machine: authorise, write the intent, sign the permit, join the channels, and write the outcome when
 * it is over. A refusal is written too. If the intent cannot be written, nothing happens.
 */
export class Gate {
  readonly #options: GateOptions
  readonly #pending = new Set<Promise<void>>()
  #outcomes: AuditRow[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(options: GateOptions) {
    this.#options = options
  }

  /** Decides about a call of a client. Throws what the client is told. */
  async open(caller: Caller, open: Open, end: RouteEnd): Promise<void> {
    const { machine, permit, settled } = await this.decide(caller, open)
    try {
      const peer = await this.#options.router.open(machine)
      // The caller may have given up, or lost its right, while the machine was looked for.
      assertUsable(caller.key)
      if (end.closed)
        throw new CmdopError('cancelled', 'The caller is gone, or does not want it any more; nothing ran.')
      peer.join(end, { ...open, permit }, settled)
      this.#writeOutcomes()
    } catch (cause) {
      const error = toCmdopError(cause, 'server', 'The relay could not reach the machine.')
      settled(error)
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
    const intent = { ...newIntent(caller, open, { digest, machine }), requestId }
    const refusal = refuse(caller, open, machine)
    if (refusal !== undefined || machine === undefined) {
      const error = refusal ?? new CmdopError('not_found', 'There is no such machine in your fleet.')
      await this.#options.store.audit.append({ ...intent, decision: 'deny', code: error.code })
      this.#options.decided(isMethodName(open.method) ? open.method : 'unknown', error.code)
      throw error
    }
    const action = open.method
    // Signed while the intent is being written, and given away only once it is.
    const [, permit] = await Promise.all([
      this.#options.store.audit.append({ ...intent, decision: 'allow', code: null }),
      endOfTick().then(() => this.#options.signer.sign({ open, caller, machine, action, digest, intentId: intent.id })),
    ])
    this.#options.decided(open.method, 'ok')
    return { machine, permit, settled: this.#outcome(intent) }
  }

  /** Resolves when every outcome so far is written. */
  async flush(): Promise<void> {
    this.#writeOutcomes()
    await Promise.all(this.#pending)
  }

  #outcome(intent: Intent): (outcome: Uint8Array | CmdopError) => void {
    const startedAt = performance.now()
    return (outcome) => {
      this.#outcomes.push(outcomeRow(intent, outcome, performance.now() - startedAt))
      this.#timer ??= setTimeout(() => this.#writeOutcomes(), OUTCOME_WAIT_MS)
    }
  }

  #writeOutcomes(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const row of this.#outcomes.splice(0)) {
      const written = this.#options.store.audit
        .append(row)
        .catch((error: unknown) => this.#options.outcomeFailed(error, row))
        .finally(() => this.#pending.delete(written))
      this.#pending.add(written)
    }
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
  if (present !== undefined && present.quarantinedAt !== null) return quarantined(present)
  if (open.permit !== undefined)
    return new CmdopError('validation', 'Expected no permit from a client; the relay signs it.')
  return undefined
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

function newIntent(caller: Caller, open: Open, action: { digest: string; machine: MachineRow | undefined }): Intent {
  return {
    id: newId('aud_'),
    kind: 'intent',
    fleetId: caller.fleetId,
    intentId: null,
    at: new Date().toISOString(),
    principalId: caller.principalId,
    action: open.method,
    machineId: action.machine?.fleetId === caller.fleetId ? action.machine.id : null,
    callId: open.callId,
    digest: action.digest,
    exitCode: null,
    durationMs: null,
    requestId: null,
  }
}

function outcomeRow(intent: Intent, outcome: Uint8Array | CmdopError, durationMs: number): AuditRow {
  const end = isCmdopError(outcome) ? undefined : execEnd(outcome)
  return {
    ...intent,
    id: newId('aud_'),
    kind: 'outcome',
    intentId: intent.id,
    at: new Date().toISOString(),
    decision: 'allow',
    code: isCmdopError(outcome) ? outcome.code : end === undefined || end.reason === 'exited' ? null : end.reason,
    exitCode: end?.exitCode ?? null,
    durationMs: Math.round(durationMs),
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
