import {
  ANSWER_LANE,
  APPROVAL_POLL_MS,
  askLanes,
  type Channel,
  CmdopError,
  Connection,
  createMemoryTransports,
  MAX_ANSWER_BYTES,
  type MethodName,
  type Open,
} from '@cmdop/protocol'
import type { Caller } from '../auth/authenticate.ts'
import { operatorOf } from '../auth/operator-of.ts'
import type { ClientPeers, OwnConnection } from '../channel/clients.ts'
import type { Gate } from '../channel/gate.ts'
import type { ApprovalWaits } from '../approvals/approval-waits.ts'
import type { Peer } from '../channel/peer.ts'
import type { RunJournals } from '../runs/run-journals.ts'
import { JournalDesk } from './journal-desk.ts'
import { PermitDesk } from './permit-desk.ts'

/** A call to the operator of a machine. */
export interface AskCall {
  readonly method: MethodName
  readonly target: string
  readonly callId: string
  readonly params: Record<string, unknown>
  /** Sent as content, so that nothing of it is in the audit log. */
  readonly pin?: string | undefined
  /** For a call with one answer: who asks does not wait any more. */
  readonly signal?: AbortSignal
}

/** An ask, or one that is gone on with. Disposing it leaves it: the machine waits for somebody to come back. */
export interface AskStream extends AsyncDisposable {
  /** Lines of JSON, in pieces. Ends with the ask; throws when the machine, or the caller's right, is gone. */
  readonly lines: AsyncIterable<Uint8Array>
}

export interface AskServiceOptions {
  readonly clients: ClientPeers
  readonly gate: Gate
  readonly journals: RunJournals
  readonly waits: ApprovalWaits
}

/** This relay as a client of itself, for callers that come over HTTP: one connection in memory for each call. */
export class AskService {
  readonly #clients: ClientPeers
  readonly #gate: Gate
  readonly #journals: RunJournals
  readonly #waits: ApprovalWaits

  constructor({ clients, gate, journals, waits }: AskServiceOptions) {
    this.#clients = clients
    this.#gate = gate
    this.#journals = journals
    this.#waits = waits
  }

  /** Begins an ask, or goes on with one. Meanwhile the machine gets its permits here, as calls of this caller. */
  async open(caller: Caller, call: AskCall, { refresh }: Pick<OwnConnection, 'refresh'> = {}): Promise<AskStream> {
    await using opening = new AsyncDisposableStack()
    const { channel, peer } = await this.#open(caller, call, { stack: opening, refresh })
    // Each time as the caller is then: the role may be lowered while the operator works.
    const operator = async () => operatorOf(await this.#clients.callerOf(peer))
    const decide = async (open: Open) => this.#gate.decide(await operator(), open, call.callId)
    const refuse = async (open: Open, refusal: CmdopError) =>
      this.#gate.refuse(await operator(), open, refusal, call.callId)
    const approval = (approvalId: string) => this.#waits.ofFleet(caller.fleetId, approvalId, APPROVAL_POLL_MS)
    const desk = opening.use(new PermitDesk({ channel, decide, refuse, approval }))
    const ask = { askId: call.callId, machineId: call.target }
    const writer = { ...operatorOf(caller), ask, requestId: call.callId }
    const journal = new JournalDesk({ channel, journals: this.#journals, writer })
    const opened = opening.move()
    return { lines: framesOf(channel, { permits: desk, journal }), [Symbol.asyncDispose]: () => opened.disposeAsync() }
  }

  /** The one answer of a call. */
  async answer(caller: Caller, call: AskCall): Promise<unknown> {
    await using opened = new AsyncDisposableStack()
    const { channel, connection } = await this.#open(caller, call, { stack: opened })
    const stop = () => connection.close()
    call.signal?.addEventListener('abort', stop, { once: true })
    opened.defer(() => call.signal?.removeEventListener('abort', stop))
    if (call.signal?.aborted === true) stop()
    const parts: Uint8Array[] = []
    let bytes = 0
    for await (const { lane, data } of channel) {
      bytes += data.length
      if (lane !== ANSWER_LANE || bytes > MAX_ANSWER_BYTES) throw strange()
      parts.push(data)
    }
    await channel.end()
    return JSON.parse(Buffer.concat(parts).toString())
  }

  async #open(
    caller: Caller,
    call: AskCall,
    { stack, refresh }: Pick<OwnConnection, 'refresh'> & { readonly stack: AsyncDisposableStack },
  ): Promise<{ channel: Channel; peer: Peer; connection: Connection }> {
    const [near, far] = createMemoryTransports()
    const peer = this.#clients.accept(far, caller, { asks: true, refresh })
    const connection = stack.use(new Connection(near, { role: 'dialer', hello: () => ({}) }))
    await connection.ready
    const { method, target, callId, params, pin } = call
    const channel = connection.open({ method, target, callId, params })
    await channel.accepted
    if (pin !== undefined) await channel.send(askLanes.pin, Buffer.from(pin))
    return { channel, peer, connection }
  }
}

interface Desks {
  readonly permits: PermitDesk
  readonly journal: JournalDesk
}

async function* framesOf(channel: Channel, { permits, journal }: Desks): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { lane, data } of channel) {
    if (lane === askLanes.frames) yield data
    else if (lane === askLanes.permits) permits.receive(data)
    else if (lane === askLanes.journal) journal.receive(data)
    else throw strange()
  }
  await channel.end()
}

function strange(): CmdopError {
  return new CmdopError('protocol', 'The machine gave an answer of another form; is its daemon of another version?')
}
