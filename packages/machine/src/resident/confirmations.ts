import { randomBytes } from 'node:crypto'
import type { Gate, GateContext, GateDecision, GateRequest } from '@cmdop/agent'
import { type AskWireFrame, CmdopError, CONFIRM_WITHIN_MS } from '@cmdop/protocol'
import { dangerOf } from './danger.ts'

/** Characters of a plan at most. */
const MAX_PLAN_CHARACTERS = 4096

export interface ConfirmationsOptions {
  /** `changes`: whatever is not declared to change nothing; `suspicious`: only after suspicious data. */
  readonly mode: 'suspicious' | 'changes'
  readonly say: (frame: AskWireFrame) => Promise<void>
  /** A person said no: the ask ends. */
  readonly rejected: () => void
}

/** The gate of an ask: a person who listens to it confirms what has to be confirmed, each call by itself and once. */
export class Confirmations implements Gate {
  readonly #options: ConfirmationsOptions
  readonly #waiting = new Map<string, (accept: boolean) => void>()

  constructor(options: ConfirmationsOptions) {
    this.#options = options
  }

  async decide(request: GateRequest, context: GateContext): Promise<GateDecision> {
    if (!this.#asks(request)) return { decision: 'allow', rule: 'resident' }
    const token = randomBytes(16).toString('hex')
    const expiresAt = new Date(Date.now() + CONFIRM_WITHIN_MS).toISOString()
    const answer = this.#answer(token, context.signal)
    context.onApproval({ approvalId: token, state: 'pending', expiresAt })
    await this.#options.say(confirmFrame(request, token, expiresAt))
    const accepted = await answer
    context.onApproval({
      approvalId: token,
      state: accepted === undefined ? 'expired' : accepted ? 'approved' : 'rejected',
    })
    if (accepted === true) return { decision: 'allow', rule: 'confirmed' }
    if (accepted === false) this.#options.rejected()
    const reason = accepted === false ? 'A person rejected the call.' : 'Nobody confirmed the call in time.'
    return { decision: 'deny', rule: accepted === false ? 'rejected' : 'not-confirmed', reason }
  }

  /** Answers the question with this token. Throws `not_found` when there is none (any more). */
  confirm(token: string, accept: boolean): void {
    const settle = this.#waiting.get(token)
    if (settle === undefined) throw new CmdopError('not_found', 'Nothing waits for this confirmation (any more).')
    settle(accept)
  }

  #asks({ needsApproval, readOnly, tainted }: GateRequest): boolean {
    return needsApproval || (!readOnly && (tainted || this.#options.mode === 'changes'))
  }

  /** undefined: nobody answered in time, or the ask is over. */
  async #answer(token: string, signal: AbortSignal): Promise<boolean | undefined> {
    const answer = Promise.withResolvers<boolean | undefined>()
    const give = () => answer.resolve(undefined)
    const timer = setTimeout(give, CONFIRM_WITHIN_MS)
    signal.addEventListener('abort', give, { once: true })
    this.#waiting.set(token, answer.resolve)
    try {
      return await answer.promise
    } finally {
      this.#waiting.delete(token)
      clearTimeout(timer)
      signal.removeEventListener('abort', give)
    }
  }
}

function confirmFrame(request: GateRequest, token: string, expiresAt: string): AskWireFrame {
  const { tool, input, digest, machine } = request
  const text = `${tool} ${JSON.stringify(input)}`
  return {
    type: 'confirm_required',
    token,
    plan: text.slice(0, MAX_PLAN_CHARACTERS),
    steps: [{ machine_id: machine.id, machine_name: machine.name, tool, input, text }],
    danger_level: dangerOf(request),
    tool,
    input,
    digest,
    expires_at: expiresAt,
  }
}
