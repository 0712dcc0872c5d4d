import type { AuditRow } from '@cmdop/protocol'
import type { Caller } from '../auth/authenticate.ts'
import { newId } from '../auth/secrets.ts'

/** What is about to be done, and by whom. What is left out is not known, or there is none. */
export type AuditEntry = Pick<AuditRow, 'fleetId' | 'principalId' | 'action'> &
  Partial<Omit<AuditRow, 'id' | 'kind' | 'at' | 'intentId'>>

/** How it ended. */
export type AuditOutcome = Partial<
  Pick<AuditRow, 'code' | 'exitCode' | 'durationMs' | 'bytes' | 'offset'> &
    Pick<AuditRow, 'machineId' | 'sessionId' | 'runId' | 'callId' | 'subject' | 'approvalId'>
>

/** Who acts: what every row says of a caller. */
export function actorOf({
  fleetId,
  principalId,
  principal,
  key,
}: Pick<Caller, 'fleetId' | 'principalId' | 'principal' | 'key'>) {
  return {
    fleetId,
    principalId,
    principalKind: principal.kind,
    principalName: principal.name,
    onBehalfOf: principal.actsForId,
    keyId: key.id,
  }
}

/** The row before an action. */
export function intentRow(entry: AuditEntry): AuditRow {
  return { ...blank(), decision: 'allow', ...entry, kind: 'intent' }
}

/** A row that follows an intent: it names again what the intent named, so that each can be found by itself. */
export function followingRow(intent: AuditRow, kind: 'progress' | 'outcome', change: AuditOutcome): AuditRow {
  const { id, at } = blank()
  return { ...intent, ...change, id, at, kind, intentId: intent.id }
}

/** What the relay does of its own accord. */
export function systemEntry(fleetId: string, action: string, subject: string): AuditEntry {
  return { fleetId, principalId: 'system', principalKind: 'system', principalName: 'relay', action, subject }
}

function blank(): Omit<AuditRow, 'fleetId' | 'principalId' | 'action' | 'kind' | 'decision'> {
  return {
    id: newId('aud_'),
    at: new Date().toISOString(),
    intentId: null,
    principalKind: null,
    principalName: null,
    onBehalfOf: null,
    keyId: null,
    machineId: null,
    sessionId: null,
    runId: null,
    agentType: null,
    model: null,
    callId: null,
    subject: null,
    digest: null,
    rule: null,
    approvalId: null,
    code: null,
    exitCode: null,
    durationMs: null,
    requestId: null,
    bytes: null,
    offset: null,
  }
}
