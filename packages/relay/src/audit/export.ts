import {
  AuditAnchor,
  auditBody,
  type AuditFilter,
  type AuditHead,
  CmdopError,
  filteredLine,
  type SignedStatement,
  statementLine,
} from '@cmdop/protocol'
import { newId } from '../auth/secrets.ts'
import type { AuditCheckpointRow, AuditListing } from '../store/audit-store.ts'
import type { Store } from '../store/store.ts'
import { type Checkpoints, lastOf } from './checkpoints.ts'
import { csvHeader, csvLine } from './csv.ts'
import type { StatementSigner } from './statement-signer.ts'

/** Rows, and checkpoints, that are read at once. */
const PAGE = 500

/** Milliseconds for which nothing is pruned after a piece of an export was read, and after which that is said again. */
const HOLD_MS = 60_000
const HOLD_AGAIN_MS = 15_000

type Stores = Pick<Store, 'audit' | 'auditCheckpoints'>

/**
 * The whole log of a fleet as it can be verified: an anchor where it was pruned, then for each checkpoint the rows since the
 * one before, chain by chain, and the checkpoint; at the end a signed last word. Rows stand there exactly as they were
 * hashed. Meanwhile nothing of the fleet is pruned. Throws `unavailable` when its reader made so long a pause that something was.
 */
export async function* exportLog(log: LogToExport, fleetId: string): AsyncGenerator<string> {
  const { auditCheckpoints } = log.store
  const id = newId('hld_')
  const hold = () => auditCheckpoints.hold({ id, fleetId, until: new Date(Date.now() + HOLD_MS).toISOString() })
  await hold()
  try {
    const anchor = await auditCheckpoints.anchor(fleetId)
    let heldAt = Date.now()
    for await (const text of linesOf(log, fleetId, anchor)) {
      yield text
      if (Date.now() - heldAt < HOLD_AGAIN_MS) continue
      const isHeld = await hold()
      if (!isHeld && (await auditCheckpoints.anchor(fleetId))?.body !== anchor?.body)
        throw new CmdopError('unavailable', 'The log was pruned in a pause of this export; export again.')
      heldAt = Date.now()
    }
  } finally {
    await auditCheckpoints.release(id)
  }
}

interface LogToExport {
  readonly store: Stores
  readonly signer: StatementSigner
  readonly checkpoints: Checkpoints
}

async function* linesOf(
  { store, signer, checkpoints }: LogToExport,
  fleetId: string,
  anchor: SignedStatement | undefined,
): AsyncGenerator<string> {
  const until = await checkpoints.make(fleetId)
  const written = new Map<string, number>()
  let number = 0
  let rows = 0
  if (anchor !== undefined) {
    yield `${statementLine('anchor', anchor)}\n`
    const said = AuditAnchor.parse(JSON.parse(anchor.body))
    for (const { chain, sequence } of said.heads) written.set(chain, sequence)
    number = said.number
  }
  for await (const checkpoint of checkpointsOf(store, { fleetId, after: number, until: until.number })) {
    for (const head of lastOf(checkpoint).heads) {
      const after = written.get(head.chain) ?? 0
      for await (const bodies of rowsOf(store, { fleetId, head, after })) {
        rows += bodies.length
        yield `${bodies.join('\n')}\n`
      }
      written.set(head.chain, head.sequence)
    }
    yield `${statementLine('checkpoint', checkpoint)}\n`
  }
  const last = lastOf(until)
  const end = signer.sign('end', fleetId, { number: last.number, hash: last.hash, rows })
  yield `${statementLine('end', end)}\n`
}

async function* checkpointsOf(
  { auditCheckpoints }: Stores,
  { fleetId, after, until }: { fleetId: string; after: number; until: number },
): AsyncGenerator<AuditCheckpointRow> {
  for (let number = after; number < until;) {
    const page = await auditCheckpoints.list(fleetId, { after: number, limit: PAGE })
    const last = page.at(-1)
    if (last === undefined) return
    yield* page.filter((each) => each.number <= until)
    number = last.number
  }
}

async function* rowsOf(
  { audit }: Stores,
  { fleetId, head, after }: { fleetId: string; head: AuditHead; after: number },
): AsyncGenerator<string[]> {
  for (let sequence = after; sequence < head.sequence;) {
    const place = { fleetId, chain: head.chain }
    const page = await audit.sealed(place, { after: sequence, until: head.sequence, limit: PAGE })
    const last = page.at(-1)
    // Somebody has removed rows behind the relay's back: the export is as it is, and verifying it will show that.
    if (last === undefined) return
    yield page.map(({ body }) => body)
    sequence = last.sequence
  }
}

/** Rows that fit a filter, the oldest first, as JSONL that says it cannot be verified, or as CSV. */
export async function* exportRows(
  { audit }: Stores,
  fleetId: string,
  { format, listing, filter }: { format: 'jsonl' | 'csv'; listing: Omit<AuditListing, 'limit'>; filter: AuditFilter },
): AsyncGenerator<string> {
  yield format === 'csv' ? csvHeader : `${filteredLine(filter)}\n`
  const newest = await audit.list(fleetId, { limit: 1, order: 'newest' })
  const until = newest[0]?.position ?? 0
  for (let after = 0; after < until;) {
    const page = await audit.list(fleetId, { ...listing, order: 'oldest', after, limit: PAGE })
    const lines = page
      .filter(({ position }) => position <= until)
      .map(({ row, ...link }) => (format === 'csv' ? csvLine(row, link) : `${auditBody(row, link)}\n`))
    if (lines.length > 0) yield lines.join('')
    after = page.length < PAGE ? until : (page.at(-1)?.position ?? until)
  }
}
