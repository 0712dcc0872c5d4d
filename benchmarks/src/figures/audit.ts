import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { DatabaseSync } from 'node:sqlite'
import { createMemoryTransports } from '@cmdop/protocol'
import { createMemoryBus, openSqliteStore, type Store } from '@cmdop/relay'
import { verifyExport } from '../../../packages/cli/src/audit/verify-export.ts'
import { createApprovals } from '../../../packages/relay/src/approvals/create-approvals.ts'
import { AuditTrail } from '../../../packages/relay/src/audit/audit-trail.ts'
import { Checkpoints } from '../../../packages/relay/src/audit/checkpoints.ts'
import { exportLog } from '../../../packages/relay/src/audit/export.ts'
import { StatementSigner } from '../../../packages/relay/src/audit/statement-signer.ts'
import { authenticate } from '../../../packages/relay/src/auth/authenticate.ts'
import { bootstrapFleet, proposeRelayKey } from '../../../packages/relay/src/bootstrap.ts'
import { Admission } from '../../../packages/relay/src/channel/admission.ts'
import { Gate } from '../../../packages/relay/src/channel/gate.ts'
import { Peer } from '../../../packages/relay/src/channel/peer.ts'
import { Router } from '../../../packages/relay/src/channel/router.ts'
import { RunReach } from '../../../packages/relay/src/channel/run-reach.ts'
import { GoingFleetRuns } from '../../../packages/relay/src/fleet-runs/going-fleet-runs.ts'
import { createLogger } from '../../../packages/relay/src/log.ts'
import { PermitSigner } from '../../../packages/relay/src/permits.ts'
import { PolicyDesk } from '../../../packages/relay/src/policy/policy-desk.ts'
import { TunnelGate } from '../../../packages/relay/src/tunnels/tunnel-gate.ts'
import type { Figure, Measurement, Row } from '../figure.ts'
import { asRatio, distributionOf, inMilliseconds, medianOf, timed } from '../statistics.ts'
import { temporaryFolder } from '../temporary-folder.ts'

/** Actions under way at once, and rows that they write. */
const WRITERS = 256
const ROWS = 40_000
const WRITE_ROUNDS = 3
const ROWS_PER_SECOND = 5000

/** Times that the export is verified. */
const VERIFY_ROUNDS = 7
const VERIFIED_PER_SECOND = 200_000

/** Calls that are decided, one after another. */
const CALLS = 2000
const WARM_UP_CALLS = 300
const ADDED_MS = 0.3

/** What the audit log costs, and how fast it is verified. */
export const auditFigure: Figure = {
  id: 'audit',
  title: 'Audit log',
  async measure(progress) {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'relay.sqlite')
    await using store = await openSqliteStore({ file })
    const key = proposeRelayKey()
    const trail = new AuditTrail({ store: store.audit, name: 'main', relayInstance: 'run_bench' })
    const bearer = await bootstrapFleet(store, trail)
    const caller = await authenticate(store, bearer)
    const written: Record<'ours' | 'plain', number[]> = { ours: [], plain: [] }
    for (let round = 0; round < WRITE_ROUNDS; round += 1) {
      progress(`writing, round ${round + 1} of ${WRITE_ROUNDS}`)
      written.ours.push(ROWS / (await timed(() => writeRows(trail, caller.fleetId))))
      written.plain.push(ROWS / (await timed(() => writePlain(join(folder.path, `plain-${round}.sqlite`)))))
    }
    progress('deciding')
    const added = await decideCalls({ store, trail, key }, caller)
    const commits = await commitOne(join(folder.path, 'commit.sqlite'))
    const failed = (error: unknown): never => {
      throw error
    }
    const signer = new StatementSigner(key)
    const checkpoints = new Checkpoints({ store, trail, signer, made: () => {}, failed })
    const exported = join(folder.path, 'export.jsonl')
    await pipeline(
      Readable.from(exportLog({ store, signer, checkpoints }, caller.fleetId)),
      createWriteStream(exported),
    )
    const verified: Record<'ours' | 'hash', number[]> = { ours: [], hash: [] }
    for (let round = 0; round < VERIFY_ROUNDS; round += 1) {
      progress(`verifying, round ${round + 1} of ${VERIFY_ROUNDS}`)
      let rows = 0
      const ms = await timed(async () => {
        const result = await verifyExport(read(exported), { publicKey: key.publicKey })
        if (!result.ok) throw new Error(`Expected a whole export, got ${result.firstProblem?.message}`)
        rows = result.rows
      })
      verified.ours.push(rows / ms)
      verified.hash.push(rows / (await timed(() => hashOnly(exported))))
    }
    return report({ written, verified, added, commits })
  },
}

async function writeRows(trail: AuditTrail, fleetId: string): Promise<void> {
  const entry = {
    fleetId,
    principalId: 'prn_0123456789abcdef',
    principalKind: 'human',
    principalName: 'Ada',
    action: 'exec',
    machineId: 'mch_0123456789abcdef',
    digest: 'ab'.repeat(32),
    keyId: 'key_0123456789abcdef',
  }
  let left = ROWS
  const write = async () => {
    for (; left > 0; left -= 1) await trail.intent({ ...entry, callId: `call_${left}` }).written
  }
  await Promise.all(Array.from({ length: WRITERS }, write))
}

/** The same bytes into one column, as many in a commit as there are writers, without a chain, an index or another thread. */
async function writePlain(file: string): Promise<void> {
  using database = openDurable(file)
  const insert = database.prepare('insert into rows (body) values (?)')
  const body = 'x'.repeat(600)
  for (let done = 0; done < ROWS; done += WRITERS) {
    database.exec('begin immediate')
    for (let count = 0; count < WRITERS; count += 1) insert.run(body)
    database.exec('commit')
  }
}

async function commitOne(file: string): Promise<number[]> {
  using database = openDurable(file)
  const insert = database.prepare('insert into rows (body) values (?)')
  const times: number[] = []
  for (let count = 0; count < CALLS; count += 1) times.push(await timed(async () => insert.run('x'.repeat(600))))
  return times
}

function openDurable(file: string): DatabaseSync {
  const database = new DatabaseSync(file)
  database.exec('pragma journal_mode = wal; pragma synchronous = full')
  database.exec('create table rows (position integer primary key, body text)')
  return database
}

/** From a call that has arrived to its permit: authorised, its intent on disk. */
async function decideCalls(
  { store, trail, key }: { store: Store; trail: AuditTrail; key: ReturnType<typeof proposeRelayKey> },
  caller: Awaited<ReturnType<typeof authenticate>>,
): Promise<number[]> {
  await using bus = createMemoryBus()
  const failed = (error: unknown): never => {
    throw error
  }
  const router = new Router({ relayInstance: 'run_bench', bus })
  const signer = new PermitSigner(key)
  const policies = new PolicyDesk({ store, bus })
  const judge = policies.judge.bind(policies)
  const log = createLogger('silent')
  using fleetRuns = new GoingFleetRuns({ store, bus })
  using approvals = createApprovals({
    store,
    audit: trail,
    bus,
    signer,
    log,
    judge,
    asks: () => failed(new Error('no machine')),
    fleetRuns,
  })
  const admission = new Admission({ judge, approvals: approvals.desk })
  const reach = new RunReach({ runs: store.runs })
  const hooks = { decided: () => {}, outcomeFailed: failed, approvalFailed: failed }
  const tunnels = new TunnelGate({ store, denied: [], close: async () => {}, failed })
  const gate = new Gate({ store, audit: trail, router, signer, admission, reach, fleetRuns, tunnels, ...hooks })
  const target = await enrolMachine(store, caller)
  // As where a command goes: the machine is connected to this relay.
  const machine = await store.machines.get(target)
  if (machine === undefined) throw new Error('Expected the machine to be enrolled.')
  const [transport] = createMemoryTransports()
  router.attach(machine, new Peer(transport, {}))
  const times: number[] = []
  for (let count = -WARM_UP_CALLS; count < CALLS; count += 1) {
    const open = {
      method: 'exec',
      target,
      params: { command: ['true'] },
      callId: `call_${count + CALLS}`,
      window: 65_536,
    }
    const began = performance.now()
    const { settled } = await gate.decide(caller, open)
    if (count >= 0) times.push(performance.now() - began)
    settled(new Uint8Array(0))
    // As on the way of a command: its outcome is written while the next one runs, and no intent waits for it.
    await gate.flush()
  }
  return times
}

async function enrolMachine(store: Store, { fleetId, principalId }: { fleetId: string; principalId: string }) {
  const createdAt = new Date().toISOString()
  const expiresAt = new Date(Date.now() + 60_000).toISOString()
  const token = { id: 'tok_bench', fleetId, secretHash: 'ab', createdById: principalId, createdAt, expiresAt }
  await store.enrollmentTokens.create({ ...token, maxUses: 1, uses: 0 })
  const machine = { id: 'mch_bench', fleetId, name: 'bench', hostname: 'bench', os: 'linux', architecture: 'x64' }
  const rest = { agentVersion: '0', publicKey: '', createdAt, lastSeenAt: null, disabledAt: null }
  await store.machines.enroll({ ...machine, ...rest }, token.id)
  return machine.id
}

function read(path: string): AsyncIterable<Uint8Array> {
  return createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Uint8Array>
}

async function hashOnly(path: string): Promise<void> {
  const hash = createHash('sha256')
  for await (const chunk of read(path)) hash.update(chunk)
  hash.digest('hex')
}

interface Measured {
  readonly written: Record<'ours' | 'plain', number[]>
  readonly verified: Record<'ours' | 'hash', number[]>
  readonly added: readonly number[]
  readonly commits: readonly number[]
}

function report({ written, verified, added, commits }: Measured): Measurement {
  const [decided, commit] = [distributionOf(added), distributionOf(commits)]
  return {
    rows: [
      rate('rows written durably', written.ours, {
        what: 'plain inserts',
        rates: written.plain,
        bound: ROWS_PER_SECOND,
      }),
      rate('rows verified', verified.ours, { what: 'SHA-256 only', rates: verified.hash, bound: VERIFIED_PER_SECOND }),
      {
        what: 'gate and intent on the path of `exec`, p50',
        ours: inMilliseconds(decided.p50),
        peer: `one durable insert: ${inMilliseconds(commit.p50)}`,
        ratio: asRatio(decided.p50 / commit.p50),
        bound: `at most ${ADDED_MS} ms`,
        met: decided.p50 <= ADDED_MS,
      },
      {
        what: 'the same, p99',
        ours: inMilliseconds(decided.p99),
        peer: `one durable insert: ${inMilliseconds(commit.p99)}`,
        ratio: asRatio(decided.p99 / commit.p99),
        bound: '',
        met: undefined,
      },
    ],
    notes: [
      `Written: ${ROWS} rows by ${WRITERS} writers, each of which waits for its row; the median of ${WRITE_ROUNDS} rounds, alternating with the peer. SQLite with synchronous=FULL. The peer writes as many bytes into one column, ${WRITERS} rows in a commit, without chain, index or another thread.`,
      `Verified: an export of ${((ROWS * WRITE_ROUNDS) / 1000).toFixed(0)},000 rows and more from a file, on one thread; the median of ${VERIFY_ROUNDS} rounds. The peer only hashes the whole file at once.`,
      `Gate and intent: ${CALLS} calls one after another in one process, from the call to the permit: authorised, the intent on disk, the permit signed. Without gate and audit log this takes nothing; the ratio is over the time of one durable insert on the same disk.`,
    ],
  }
}

/** `rates` are in rows a millisecond. */
function rate(
  what: string,
  ours: readonly number[],
  peer: { what: string; rates: readonly number[]; bound: number },
): Row {
  const [own, other] = [medianOf(ours) * 1000, medianOf(peer.rates) * 1000]
  return {
    what,
    ours: perSecond(own),
    peer: `${peer.what}: ${perSecond(other)}`,
    ratio: `${asRatio(other / own)} as fast`,
    bound: `at least ${perSecond(peer.bound)}`,
    met: own >= peer.bound,
  }
}

function perSecond(rows: number): string {
  return `${Math.round(rows).toLocaleString('en-US')} rows/s`
}
