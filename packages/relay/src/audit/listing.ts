import type { AuditFilter } from '@cmdop/protocol'
import type { AuditFieldFilter, AuditListing } from '../store/audit-store.ts'

/** Names of the wire, and the fields they mean. */
const names: Readonly<
  Record<Exclude<keyof AuditFilter, 'action' | 'since' | 'until'>, keyof AuditFieldFilter | keyof AuditListing>
> = {
  id: 'rowId',
  kind: 'kind',
  principal: 'principalId',
  principal_name: 'principalName',
  principal_kind: 'principalKind',
  on_behalf_of: 'onBehalfOf',
  key: 'keyId',
  machine: 'machineId',
  session: 'sessionId',
  run: 'runId',
  call: 'callId',
  agent_type: 'agentType',
  model: 'model',
  subject: 'subject',
  digest: 'digest',
  decision: 'decision',
  rule: 'rule',
  approval: 'approvalId',
  code: 'code',
  exit_code: 'exitCode',
  bytes: 'bytes',
  offset: 'offset',
  duration_min: 'durationMin',
  duration_max: 'durationMax',
  request: 'requestId',
  intent: 'ofIntent',
  chain: 'chain',
  sequence: 'sequence',
}

/** What the store is asked for. */
export function listingOf(filter: AuditFilter): Omit<AuditListing, 'limit'> {
  const { action, since, until } = filter
  const wanted = Object.entries(names).map(([name, field]) => [field, filter[name as keyof AuditFilter]])
  return {
    ...Object.fromEntries(wanted.filter(([, value]) => value !== undefined)),
    ...(action === undefined ? {} : actionOf(action)),
    ...(since === undefined ? {} : { since: new Date(since).toISOString() }),
    ...(until === undefined ? {} : { until: new Date(until).toISOString() }),
  }
}

function actionOf(action: string): Pick<AuditListing, 'action' | 'actionPrefix'> {
  return action.endsWith('*') ? { actionPrefix: action.slice(0, -1) } : { action }
}
