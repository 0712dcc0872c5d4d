import type { ApiKeyIssued, ApiKeySummary } from '@cmdop/core'
import {
  type ApiKeyIssue,
  ApiKeySummary as ApiKeySummarySchema,
  ApiKeyIssued as ApiKeyIssuedSchema,
} from '@cmdop/protocol'
import { parseCount, parseSpan } from '../numbers.ts'
import { exitCodes } from '../exit-codes.ts'
import { clientFor, type FleetFlags } from '../fleet-client.ts'
import { writeResource } from '../resource-json.ts'
import { formatTable, say, writeJson, writeStdout } from '../terminal.ts'

export interface IssueFlags extends FleetFlags {
  kind?: 'human' | 'ai' | 'service'
  role?: 'owner' | 'admin' | 'member' | 'viewer'
  member?: string
  action?: string[]
  machine?: string[]
  from?: string[]
  maxTargets?: string
  days?: string
  json?: boolean
}

/** `cmdop keys list`: API keys, or with `--sessions` where people are signed in; with `--mine` only one's own. */
export async function listKeysCommand(
  flags: FleetFlags & { sessions?: boolean; mine?: boolean; json?: boolean },
  signal: AbortSignal,
): Promise<number> {
  await using client = await clientFor(flags, signal)
  const credential = flags.sessions === true ? 'session' : 'key'
  const of = flags.mine === true ? 'me' : 'fleet'
  const items = await Array.fromAsync(client.keys.iter({ credential, of, signal }))
  if (flags.json === true) await writeResource(ApiKeySummarySchema, { items })
  else {
    const rows = items.map((key) => [
      key.id,
      key.name,
      key.kind,
      key.role,
      stateOf(key),
      key.lastUsedAt ?? 'never',
      key.scopes === null ? 'all' : key.scopes.flatMap(({ actions }) => actions).join(','),
    ])
    await writeStdout(formatTable(['ID', 'NAME', 'KIND', 'ROLE', 'STATE', 'LAST USED', 'ACTIONS'], rows))
  }
  return exitCodes.ok
}

/** `cmdop keys issue`: prints the key, once. */
export async function issueKeyCommand(name: string, flags: IssueFlags, signal: AbortSignal): Promise<number> {
  await using client = await clientFor(flags, signal)
  const { kind, role, member, from, maxTargets, days } = flags
  const issued = await client.keys.issue(
    {
      name,
      ...(kind === undefined ? {} : { kind }),
      ...(role === undefined ? {} : { role }),
      ...(member === undefined ? {} : { member }),
      ...scopesOf(flags),
      ...(from === undefined ? {} : { ipRanges: from }),
      ...(maxTargets === undefined ? {} : { maxTargetsPerRun: parseCount('--max-targets', maxTargets) }),
      ...(days === undefined ? {} : { expiresInDays: parseCount('--days', days) }),
    },
    { signal },
  )
  await show(issued, flags)
  return exitCodes.ok
}

/** `cmdop keys rotate`: prints the new key, once. */
export async function rotateKeyCommand(
  id: string,
  flags: FleetFlags & { overlap?: string; json?: boolean },
  signal: AbortSignal,
): Promise<number> {
  await using client = await clientFor(flags, signal)
  const overlap = flags.overlap === undefined ? {} : { overlapSeconds: Math.ceil(parseSpan(flags.overlap) / 1000) }
  await show(await client.keys.rotate(id, overlap, { signal }), flags)
  return exitCodes.ok
}

/** `cmdop keys revoke`: ends a key or session at once. */
export async function revokeKeyCommand(
  id: string,
  flags: FleetFlags & { json?: boolean },
  signal: AbortSignal,
): Promise<number> {
  await using client = await clientFor(flags, signal)
  await client.keys.revoke(id, { signal })
  if (flags.json === true) await writeJson({ id, revoked: true })
  else await say(`${id} is revoked; what ran for it has ended`)
  return exitCodes.ok
}

/** One scope: these actions on these machines; an id is one by its prefix. */
function scopesOf({ action, machine }: IssueFlags): Pick<ApiKeyIssue, 'scopes'> {
  if (action === undefined && machine === undefined) return {}
  const ids = machine?.filter((reference) => reference.startsWith('mch_')) ?? []
  const names = machine?.filter((reference) => !reference.startsWith('mch_')) ?? []
  const machines = machine === undefined ? ('*' as const) : { ids, names }
  return { scopes: [{ actions: action ?? ['*'], machines }] }
}

async function show(issued: ApiKeyIssued, flags: { json?: boolean }): Promise<void> {
  if (flags.json === true) return writeResource(ApiKeyIssuedSchema, issued)
  await say(`key ${issued.id}, shown only now:`)
  await writeStdout(`${issued.rawToken}\n`)
}

function stateOf({ revokedAt, expiresAt }: ApiKeySummary): string {
  if (revokedAt !== null) return 'revoked'
  if (expiresAt === null) return 'good'
  return Date.parse(expiresAt) <= Date.now() ? 'expired' : `until ${expiresAt}`
}
