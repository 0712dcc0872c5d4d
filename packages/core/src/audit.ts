import * as wire from '@cmdop/protocol'
import { readServerEvents } from './ask/server-events.ts'
import type { Cancellable } from './cancellable.ts'
import type { AuditCheckpoints, AuditKey, AuditLog, AuditPage } from './resources.ts'
import { countedPages, cursorPages, rowsOf } from './pages.ts'
import type { RestClient } from './rest-client.ts'
import { wait } from './wait.ts'

/** Which rows; all that is given must fit. Times are a `Date` or ISO 8601. */
export interface AuditLogFilter {
  /** One row. */
  readonly id?: string | undefined
  readonly kind?: wire.AuditFilter['kind'] | undefined
  readonly principalId?: string | undefined
  readonly principalName?: string | undefined
  readonly principalKind?: string | undefined
  /** The person or schedule it was done for. */
  readonly onBehalfOf?: string | undefined
  readonly keyId?: string | undefined
  /** `exec`, or `file.*` for every action that begins so. */
  readonly action?: string | undefined
  readonly machineId?: string | undefined
  readonly sessionId?: string | undefined
  readonly runId?: string | undefined
  readonly callId?: string | undefined
  readonly agentType?: string | undefined
  readonly model?: string | undefined
  readonly subject?: string | undefined
  readonly digest?: string | undefined
  readonly decision?: wire.AuditFilter['decision'] | undefined
  readonly rule?: string | undefined
  readonly approvalId?: string | undefined
  readonly code?: string | undefined
  readonly exitCode?: number | undefined
  readonly bytes?: number | undefined
  readonly offset?: number | undefined
  /** Milliseconds that it took at least, and at most. */
  readonly durationMin?: number | undefined
  readonly durationMax?: number | undefined
  readonly requestId?: string | undefined
  /** The intent and what followed it. */
  readonly intentId?: string | undefined
  readonly chain?: string | undefined
  /** The place in its chain. */
  readonly sequence?: number | undefined
  /** From this time on. */
  readonly since?: Date | string | undefined
  /** Before this time. */
  readonly until?: Date | string | undefined
}

/** A page of rows. */
export interface AuditLogQuery extends AuditLogFilter {
  /** Default: `newest` first. */
  readonly order?: 'newest' | 'oldest' | undefined
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

/** Milliseconds between tries of {@link AuditNamespace.follow} to come back, half of it on average. */
const RETRY_WAIT_MS = 2000

/** `client.audit`: who did what in the fleet, and how it ended. */
export class AuditNamespace {
  readonly #rest: RestClient

  constructor(rest: RestClient) {
    this.#rest = rest
  }

  /** One page, the newest first. Pass `nextCursor` on as `cursor`. */
  getLogs({ signal, order, limit, cursor, ...filter }: AuditLogQuery & Cancellable = {}): Promise<AuditPage> {
    const query = { ...wireFilter(filter), order, limit, cursor }
    return this.#rest.call({ method: 'GET', path: '/api/audit', query, answer: wire.AuditPage, signal })
  }

  /** Every row, page by page as they are needed. */
  iter(query: Omit<AuditLogQuery, 'cursor'> & Cancellable = {}): AsyncGenerator<AuditLog> {
    return rowsOf(this.pages(query), query)
  }

  /** Every page. Ends with the last one, and when a page does not lead on. */
  pages(query: Omit<AuditLogQuery, 'cursor'> & Cancellable = {}): AsyncGenerator<AuditPage> {
    return cursorPages((cursor) => this.getLogs({ ...query, cursor }))
  }

  /**
   * The log as a file, in pieces as they come: JSONL that can be verified where there is no filter, or CSV. Throws
   * `connection` when it breaks off; what came until then is not whole.
   */
  async *export({
    signal,
    format = 'jsonl',
    ...filter
  }: AuditLogFilter & { format?: wire.AuditExportQuery['format'] } & Cancellable = {}): AsyncGenerator<Uint8Array> {
    const query = { ...wireFilter(filter), format }
    yield* await this.#rest.stream({ method: 'GET', path: '/api/audit/export', query, signal })
  }

  /** Rows as they are written, from now on, over lost connections, until the signal or the loop is left. */
  async *follow({ signal, ...filter }: AuditLogFilter & Cancellable = {}): AsyncGenerator<AuditLog> {
    const request = { method: 'GET', path: '/api/audit/events', query: wireFilter(filter), signal } as const
    let lastEventId: string | undefined
    const began = (id: string) => (lastEventId = id)
    for (;;) {
      try {
        const body = await this.#rest.stream({ ...request, lastEventId })
        for await (const { id, data } of readServerEvents(body, began)) {
          lastEventId = id
          yield wire.AuditLog.parse(JSON.parse(data))
        }
      } catch (error) {
        if (lastEventId === undefined || !isLost(error)) throw error
      }
      await wait(Math.random() * RETRY_WAIT_MS, signal)
    }
  }

  /** Signed checkpoints, in order, after a number. */
  checkpoints({ after = 0, signal }: { after?: number } & Cancellable = {}): AsyncGenerator<
    AuditCheckpoints['items'][number]
  > {
    const call = { method: 'GET', path: '/api/audit/checkpoints', answer: wire.AuditCheckpoints, signal } as const
    const pages = countedPages((next) => this.#rest.call({ ...call, query: { after: next, limit: 1000 } }), after)
    return rowsOf(pages, { signal })
  }

  /** The key that signs the checkpoints. Keep it where the relay cannot change it. */
  key({ signal }: Cancellable = {}): Promise<AuditKey> {
    return this.#rest.call({ method: 'GET', path: '/api/audit/key', answer: wire.AuditKey, signal })
  }
}

function wireFilter(filter: AuditLogFilter): Record<string, string | number | undefined> {
  const { id, kind, action, model, subject, digest, decision, rule, code, bytes, offset, chain, sequence } = filter
  const { principalId, principalKind, onBehalfOf, keyId, machineId, sessionId, runId, callId } = filter
  const { agentType, approvalId, exitCode, requestId, intentId, since, until } = filter
  return {
    id,
    kind,
    action,
    model,
    subject,
    digest,
    decision,
    rule,
    code,
    bytes,
    offset,
    chain,
    sequence,
    principal: principalId,
    principal_name: filter.principalName,
    principal_kind: principalKind,
    on_behalf_of: onBehalfOf,
    key: keyId,
    machine: machineId,
    session: sessionId,
    run: runId,
    call: callId,
    agent_type: agentType,
    approval: approvalId,
    exit_code: exitCode,
    duration_min: filter.durationMin,
    duration_max: filter.durationMax,
    request: requestId,
    intent: intentId,
    since: timeOf('since', since),
    until: timeOf('until', until),
  }
}

function timeOf(name: string, time: Date | string | undefined): string | undefined {
  if (time === undefined) return undefined
  const date = new Date(time)
  if (Number.isNaN(date.getTime()))
    throw new wire.CmdopError('validation', `Expected ${name} to be a date or an ISO 8601 time, got "${String(time)}".`)
  return date.toISOString()
}

function isLost(error: unknown): boolean {
  return wire.isCmdopError(error) && ['connection', 'timeout', 'unavailable'].includes(error.code)
}
