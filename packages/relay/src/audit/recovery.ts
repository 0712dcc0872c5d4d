import { type AuditRow, isCmdopError, parseAuditBody } from '@cmdop/protocol'
import type { AuditStore, SealedAuditRow } from '../store/audit-store.ts'
import { followingRow, intentRow, systemEntry } from './entry.ts'
import { headOf, sealRows } from './seal.ts'

/** Intents that are settled at once. */
const PAGE = 256

/** The action of the row that each process of a relay begins with; its outcome comes when the process stops. */
export const START = 'relay.start'
/** The action of the last row of a chain that nobody writes any more. */
const CHAIN_END = 'chain.end'

/**
 * Outcomes with the code `unknown` for what was allowed in a chain since its relay last started, and has none: it was killed
 * in between. Only rows since that start are looked at.
 */
export async function* unknownOutcomes(
  store: AuditStore,
  { fleetId, chain, last }: { fleetId: string; chain: string; last: SealedAuditRow | undefined },
): AsyncGenerator<AuditRow[]> {
  const start = await store.newest(fleetId, chain, START)
  const wasStopped = last !== undefined && start !== undefined && rowOf(last).intentId === rowOf(start).id
  if (last === undefined || wasStopped) return
  yield* openOutcomes(store, { fleetId, chain, from: start?.sequence ?? 1 })
}

/** The names that a relay writes its chains under, and wrote them under before. */
export interface ChainNames {
  readonly name: string
  readonly formerNames?: readonly string[]
}

/** Whether a chain is of a relay of these names. */
export function isOwnChain(chain: string, { name, formerNames = [] }: ChainNames): boolean {
  return [name, ...formerNames].some((own) => chain === own || chain.startsWith(`${own}~`))
}

/**
 * Chains that an earlier process went on with, or wrote under another name, get their unknown outcomes, and an end, so that
 * they are looked at once.
 */
export async function closeSideChains(store: AuditStore, fleetId: string, names: ChainNames): Promise<void> {
  const sides = (await store.chains(fleetId)).filter(({ chain }) => chain !== names.name && isOwnChain(chain, names))
  for (const { chain } of sides) {
    const last = await store.head(fleetId, chain)
    if (last === undefined || rowOf(last).action === CHAIN_END) continue
    try {
      let head = headOf(last)
      const append = async (rows: readonly AuditRow[]) => {
        const next = sealRows(rows, head)
        await store.append(next.sealed)
        head = next.head
      }
      for await (const rows of openOutcomes(store, { fleetId, chain, from: 1 })) await append(rows)
      await append([{ ...intentRow(systemEntry(fleetId, CHAIN_END, `chain:${chain}`)), kind: 'outcome' }])
    } catch (error) {
      // Somebody writes it still.
      if (!isCmdopError(error) || error.code !== 'conflict') throw error
    }
  }
}

async function* openOutcomes(
  store: AuditStore,
  place: { fleetId: string; chain: string; from: number },
): AsyncGenerator<AuditRow[]> {
  for (let { from } = place; ;) {
    const open = await store.openIntents({ ...place, from, limit: PAGE })
    const lastOpen = open.at(-1)
    if (lastOpen === undefined) return
    from = lastOpen.sequence + 1
    yield open.map((intent) => followingRow(rowOf(intent), 'outcome', { code: 'unknown' }))
  }
}

function rowOf({ body }: SealedAuditRow): AuditRow {
  return parseAuditBody(body).row
}
