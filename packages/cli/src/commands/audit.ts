import { access, constants, readFile } from 'node:fs/promises'
import { type AuditLogFilter, Client, type AuditLog } from '@cmdop/core'
import { type AuditVerification, CmdopError } from '@cmdop/protocol'
import { readExport, verifyExport } from '../audit/verify-export.ts'
import { exitCodes } from '../exit-codes.ts'
import { parseCount, parseDuration, parseSpan } from '../numbers.ts'
import { formatTable, printable, say, writeJson, writeStdout } from '../terminal.ts'

/** Rows that are listed unless it says how many. */
const LISTED = 50

/** Options that choose rows, as the command line has them. */
export interface AuditFilterFlags {
  id?: string
  principal?: string
  principalName?: string
  principalKind?: string
  onBehalfOf?: string
  key?: string
  action?: string
  machine?: string
  session?: string
  run?: string
  call?: string
  agentType?: string
  model?: string
  digest?: string
  subject?: string
  decision?: 'allow' | 'deny' | 'ask'
  code?: string
  exitCode?: string
  bytes?: string
  offset?: string
  durationMin?: string
  durationMax?: string
  request?: string
  intent?: string
  chain?: string
  sequence?: string
  rule?: string
  approval?: string
  kind?: 'intent' | 'progress' | 'outcome'
  since?: string
  until?: string
}

export interface AuditLogFlags extends AuditFilterFlags {
  limit?: string
  oldest?: boolean
  json?: boolean
}

/** `cmdop audit log`: rows of the audit log, the newest first. */
export async function auditLogCommand(flags: AuditLogFlags, signal: AbortSignal): Promise<number> {
  const limit = flags.limit === undefined ? LISTED : parseCount('--limit', flags.limit)
  await using client = new Client()
  const filter = await filterOf(client, flags, signal)
  const order = flags.oldest === true ? 'oldest' : 'newest'
  const items: AuditLog[] = []
  for await (const row of client.audit.iter({ ...filter, order, limit: Math.min(limit, 1000), signal }))
    if (items.push(row) === limit) break
  if (flags.json === true) await writeJson({ items })
  else await writeStdout(formatTable(HEADER, items.map(cells)))
  return exitCodes.ok
}

/** `cmdop audit follow`: rows as they are written, until ^C. With `--json`, one document a line. */
export async function auditFollowCommand(
  flags: AuditFilterFlags & { json?: boolean },
  signal: AbortSignal,
): Promise<number> {
  await using client = new Client()
  const filter = await filterOf(client, flags, signal)
  try {
    for await (const row of client.audit.follow({ ...filter, signal }))
      await writeStdout(flags.json === true ? `${JSON.stringify(row)}\n` : `${printable(cells(row).join('  '))}\n`)
  } catch (error) {
    // That is how it ends.
    if (!signal.aborted) throw error
  }
  return exitCodes.ok
}

/** `cmdop audit export`: the log to stdout; whole as JSONL, it can be verified. */
export async function auditExportCommand(
  { format, ...flags }: AuditFilterFlags & { format?: 'jsonl' | 'csv' },
  signal: AbortSignal,
): Promise<number> {
  await using client = new Client()
  const filter = await filterOf(client, flags, signal)
  for await (const piece of client.audit.export({ ...filter, ...(format === undefined ? {} : { format }), signal }))
    await writeStdout(piece)
  return exitCodes.ok
}

/** `cmdop audit key`: the key that verifies, as PEM. */
export async function auditKeyCommand({ json }: { json?: boolean }, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  const key = await client.audit.key({ signal })
  if (json === true) await writeJson(key)
  else await writeStdout(key.publicKey)
  return exitCodes.ok
}

export interface AuditVerifyFlags {
  key?: string
  checkpoints?: string
  fromCheckpoint?: string
  json?: boolean
}

/** `cmdop audit verify`: whether an export is what the relay wrote; exit code 1, and what is wrong first, where not. */
export async function auditVerifyCommand(file: string, flags: AuditVerifyFlags, signal: AbortSignal): Promise<number> {
  const { key, checkpoints: checkpointsFile, fromCheckpoint } = flags
  const publicKey = key === undefined ? await askKey(signal) : await readFile(await readable(key), 'utf8')
  const result = await verifyExport(file === '-' ? process.stdin : readExport(await readable(file)), {
    publicKey,
    checkpointsFile: checkpointsFile === undefined ? undefined : await readable(checkpointsFile),
    fromCheckpoint: fromCheckpoint === undefined ? undefined : parseCount('--from-checkpoint', fromCheckpoint),
  })
  if (flags.json === true) await writeJson(result)
  else await tell(result)
  return result.ok ? exitCodes.ok : exitCodes.failed
}

async function tell({ ok, rows, chains, checkpoints, begins, at, firstProblem }: AuditVerification): Promise<void> {
  if (firstProblem !== null)
    return say(`cmdop: ${firstProblem.kind}: line ${firstProblem.line}: ${firstProblem.message}`)
  const from = begins === 0 ? '' : `, after checkpoint ${begins}`
  if (ok)
    await writeStdout(
      `${counted(rows, 'row')} in ${counted(chains.length, 'chain')}, ${counted(checkpoints, 'checkpoint')}${from}, as of ${at}: as written\n`,
    )
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

/** A key that comes from the relay proves only that the log fits the relay. */
async function askKey(signal: AbortSignal): Promise<string> {
  await using client = new Client()
  await say('cmdop: the key is asked of the relay; to prove more, give the one that you kept: --key <file>')
  return (await client.audit.key({ signal })).publicKey
}

async function filterOf(client: Client, flags: AuditFilterFlags, signal: AbortSignal): Promise<AuditLogFilter> {
  const { principal, key, machine, session, run, call, approval, since, until } = flags
  const { id, principalName, principalKind, onBehalfOf, action, agentType, model, digest } = flags
  const { subject, decision, code, rule, kind, request, intent, chain } = flags
  const machineId = machine === undefined ? undefined : (await client.machines.resolve(machine, { signal })).id
  const filter = {
    id,
    principalName,
    principalKind,
    onBehalfOf,
    action,
    agentType,
    model,
    digest,
    subject,
    decision,
    code,
    rule,
    kind,
    machineId,
    principalId: principal,
    keyId: key,
    sessionId: session,
    runId: run,
    callId: call,
    approvalId: approval,
    exitCode: countOf('--exit-code', flags.exitCode),
    bytes: countOf('--bytes', flags.bytes),
    offset: countOf('--offset', flags.offset),
    durationMin: flags.durationMin === undefined ? undefined : parseDuration(flags.durationMin),
    durationMax: flags.durationMax === undefined ? undefined : parseDuration(flags.durationMax),
    requestId: request,
    intentId: intent,
    chain,
    sequence: countOf('--sequence', flags.sequence),
    since: timeOf('--since', since),
    until: timeOf('--until', until),
  }
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined))
}

/** A whole number. Throws `config`, naming the option. */
function countOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^-?\d{1,15}$/.test(text)) return Number(text)
  throw new CmdopError('config', `Expected ${option} to be a whole number, got ${text}.`)
}

/** A time, or how long ago. */
function timeOf(option: string, text: string | undefined): Date | undefined {
  if (text === undefined) return undefined
  if (/^\d+(\.\d+)?(ms|s|m|h|d)$/.test(text)) return new Date(Date.now() - parseSpan(text))
  const time = new Date(text)
  if (!Number.isNaN(time.getTime())) return time
  throw new CmdopError('config', `Expected ${option} to be a time such as 2030-01-31T12:00Z, or 2h for so long ago.`)
}

const HEADER = ['AT', 'KIND', 'ACTION', 'DECISION', 'CODE', 'WHO', 'MACHINE', 'ABOUT', 'ROW']

function cells(row: AuditLog): string[] {
  return [
    row.at,
    row.kind,
    row.action,
    row.decision,
    row.code ?? (row.exitCode === null ? '-' : `exit ${row.exitCode}`),
    row.principalName ?? row.principalId,
    row.machineId ?? '-',
    row.subject ?? row.sessionId ?? row.callId ?? '-',
    `${row.chain}#${row.sequence}`,
  ]
}

/** Throws `config` before anything is read of a file that cannot be. */
async function readable(path: string): Promise<string> {
  try {
    await access(path, constants.R_OK)
    return path
  } catch (cause) {
    throw new CmdopError('config', `${path} cannot be read.`, { cause })
  }
}
