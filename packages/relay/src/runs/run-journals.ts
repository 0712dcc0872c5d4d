import {
  CmdopError,
  isCmdopError,
  MAX_RUN_BYTES,
  MAX_RUN_ENTRIES,
  MAX_RUN_ENTRY_BYTES,
  type RunAppend,
  type RunCreate,
  type RunEntry,
  RunState,
} from '@cmdop/protocol'
import type { AuditTrail } from '../audit/audit-trail.ts'
import { actorOf, type AuditEntry } from '../audit/entry.ts'
import type { Caller } from '../auth/authenticate.ts'
import { compileRunPolicy } from '../policy/run-policy.ts'
import type { RunEntryRow, RunRow, Store } from '../store/store.ts'

/** Runs of which the owner and the end are kept in memory, so that an entry costs one statement. */
const MAX_KNOWN = 10_000

/** Who writes: a principal, or the operator of a machine on an ask of that principal, which writes to runs of that ask alone. */
export interface RunWriter extends Pick<Caller, 'fleetId' | 'principalId' | 'principal' | 'key'> {
  readonly requestId: string
  readonly ask?: { readonly askId: string; readonly machineId: string } | undefined
}

/** What an entry that comes next is checked against. */
interface Known {
  readonly fleetId: string
  readonly askId: string | null
  readonly machineId: string
  readonly principalId: string
  entries: number
  totalBytes: number
}

export interface RunJournalsOptions {
  readonly store: Pick<Store, 'runs' | 'machines'>
  readonly audit: AuditTrail
  /** Called when a run is over and goes on no more. */
  readonly ended: (fleetId: string, runId: string) => Promise<void>
}

/**
 * Takes the journals of runs: each entry once, in order, by one writer at a time, and durable before it is answered. That a run
 * begins, stops, goes on and ends is in the audit log; each step of it is not.
 */
export class RunJournals {
  readonly #store: RunJournalsOptions['store']
  readonly #audit: AuditTrail
  readonly #ended: RunJournalsOptions['ended']
  readonly #known = new Map<string, Known>()

  constructor({ store, audit, ended }: RunJournalsOptions) {
    this.#store = store
    this.#audit = audit
    this.#ended = ended
  }

  /** Begins a run. Gives how many entries it has. Throws `permission`, `not_found` for a machine of another fleet, `conflict`. */
  async create(writer: RunWriter, run: RunCreate): Promise<number> {
    const { runId, agentType, model, machineId } = run
    const machine = await this.#store.machines.get(machineId)
    const isOwn = machine?.fleetId === writer.fleetId
    const act = { ...writing(writer, runId), subject: 'run:begin', agentType, model }
    return this.#audit.around({ ...act, machineId: isOwn ? machineId : null }, () =>
      this.#create(writer, run, isOwn && machine.disabledAt === null),
    )
  }

  async #create(
    writer: RunWriter,
    { entry, runId: id, policy, ...run }: RunCreate,
    isMachineThere: boolean,
  ): Promise<number> {
    const { fleetId, principalId, ask } = writer
    if (ask !== undefined && ask.machineId !== run.machineId)
      throw new CmdopError('permission', 'The operator of a machine writes only runs on that machine.')
    const askId = ask?.askId ?? null
    if (!isMachineThere) throw new CmdopError('not_found', 'There is no such machine in your fleet.')
    if (policy !== undefined) compileRunPolicy(policy)
    const at = new Date().toISOString()
    const [first] = rowsOf(id, { index: 0, entries: [entry], totalBytes: 0, at }) as [RunEntryRow]
    const row = {
      id,
      fleetId,
      principalId,
      askId,
      ...run,
      policy: policy === undefined ? null : JSON.stringify(policy),
      state: 'running' as const,
      code: null,
      createdAt: at,
      updatedAt: at,
    }
    try {
      await this.#store.runs.create(row, first)
      this.#remember(id, {
        fleetId,
        principalId,
        askId,
        machineId: run.machineId,
        entries: 1,
        totalBytes: first.totalBytes,
      })
      return 1
    } catch (error) {
      if (!isCmdopError(error) || error.code !== 'conflict') throw error
      // Sent again, after the answer was lost; or an id that is taken.
      const known = await this.#read(id)
      if (
        known?.principalId !== principalId ||
        known.askId !== askId ||
        known.machineId !== run.machineId ||
        !(await this.#has(id, [first]))
      )
        throw new CmdopError('conflict', 'There is a run of this id already; start it with a new one.', {
          cause: error,
        })
      return known.entries
    }
  }

  /** Adds entries. Gives how many there are. Throws `not_found`, `permission`, `conflict`, `no_space`. */
  async append(writer: RunWriter, runId: string, { index, entries }: RunAppend): Promise<number> {
    const known = await this.#find(writer, runId)
    const said = standingIn(entries)
    if (said === undefined) return this.#append(writer, runId, { index, entries })
    const act = { ...writing(writer, runId), subject: `run:${said.state}`, machineId: known.machineId }
    return this.#audit.around(act, () => this.#append(writer, runId, { index, entries }))
  }

  /** Refuses to write to a run. Throws the refusal, which is a row. */
  async refuse(writer: RunWriter, runId: string, refusal: CmdopError): Promise<never> {
    await this.#audit.deny({ ...writing(writer, runId), code: refusal.code })
    throw refusal
  }

  async #append(writer: RunWriter, runId: string, { index, entries }: RunAppend): Promise<number> {
    let known = await this.#find(writer, runId)
    if (known.entries !== index) known = await this.#find(writer, runId, true)
    const at = new Date().toISOString()
    const rows = rowsOf(runId, { index, entries, totalBytes: known.totalBytes, at })
    if (known.entries === index) {
      refuseFull(rows)
      if (await this.#insert(rows)) {
        known.entries = index + rows.length
        known.totalBytes = rows.at(-1)?.totalBytes ?? known.totalBytes
        await this.#noteState(writer.fleetId, runId, { entries, at })
        return known.entries
      }
      this.#known.delete(runId)
    }
    if (!(await this.#has(runId, rows))) throw secondWriter(index)
    // Whoever sent it the first time may not have come to it.
    await this.#noteState(writer.fleetId, runId, { entries, at })
    return index + rows.length
  }

  /** False: there is something at this place, or nothing before it. */
  async #insert(rows: readonly RunEntryRow[]): Promise<boolean> {
    try {
      await this.#store.runs.append(rows)
      return true
    } catch (error) {
      if (isCmdopError(error) && (error.code === 'conflict' || error.code === 'not_found')) return false
      throw error
    }
  }

  /** Throws `not_found` and `permission`, each of which is a row. */
  async #find(writer: RunWriter, runId: string, again = false): Promise<Known> {
    const known = (again ? undefined : this.#known.get(runId)) ?? (await this.#read(runId))
    const refusal = refusalOf(writer, known)
    if (refusal === undefined && known !== undefined) return known
    return await this.refuse(writer, runId, refusal ?? noSuchRun())
  }

  async #read(runId: string): Promise<Known | undefined> {
    const [run, last] = await Promise.all([this.#store.runs.get(runId), this.#store.runs.lastEntry(runId)])
    if (run === undefined) return undefined
    const { fleetId, principalId, askId, machineId } = run
    const known = {
      fleetId,
      principalId,
      askId,
      machineId,
      entries: (last?.position ?? -1) + 1,
      totalBytes: last?.totalBytes ?? 0,
    }
    this.#remember(runId, known)
    return known
  }

  #remember(runId: string, known: Known): void {
    this.#known.delete(runId)
    this.#known.set(runId, known)
    const [oldest] = this.#known.keys()
    if (oldest !== undefined && this.#known.size > MAX_KNOWN) this.#known.delete(oldest)
  }

  /** Whether just these entries are there, at their places. */
  async #has(runId: string, rows: readonly RunEntryRow[]): Promise<boolean> {
    const there = await this.#store.runs.entries(runId, { from: rows[0]?.position ?? 0, limit: rows.length })
    return there.length === rows.length && there.every(({ body }, index) => body === rows[index]?.body)
  }

  async #noteState(
    fleetId: string,
    runId: string,
    { entries, at: updatedAt }: { entries: readonly RunEntry[]; at: string },
  ): Promise<void> {
    const state = standingIn(entries)
    if (state === undefined) return
    await this.#store.runs.update(runId, { ...state, updatedAt })
    // One that only stopped goes on.
    if (entries.some(({ type }) => type === 'run_ended')) await this.#ended(fleetId, runId)
  }
}

/** The error for a run that is not there, or of another fleet. */
export function noSuchRun(): CmdopError {
  return new CmdopError('not_found', 'There is no such run in your fleet.')
}

/** What every row of the audit log says of writing to a run. */
function writing(writer: RunWriter, runId: string): AuditEntry {
  const { requestId, ask } = writer
  return { ...actorOf(writer), action: 'run.write', runId, callId: ask?.askId ?? null, requestId }
}

function refusalOf({ fleetId, principalId, ask }: RunWriter, known: Known | undefined): CmdopError | undefined {
  if (known?.fleetId !== fleetId) return noSuchRun()
  const isOfAsk = ask === undefined || (known.askId === ask.askId && known.machineId === ask.machineId)
  if (known.principalId === principalId && isOfAsk) return undefined
  return new CmdopError('permission', 'The run is of another principal, or another ask; only that one writes on.')
}

/** How a run stands after these entries; undefined: they say nothing of it. */
function standingIn(entries: readonly RunEntry[]): Pick<RunRow, 'state' | 'code'> | undefined {
  return entries.map(stateIn).findLast((state) => state !== undefined)
}

/** What an entry says of how its run stands; undefined: nothing. */
function stateIn({ type, ...entry }: RunEntry): Pick<RunRow, 'state' | 'code'> | undefined {
  if (type === 'run_resumed') return { state: 'running', code: null }
  if (type !== 'run_ended' && type !== 'run_stopped') return undefined
  const { status, code } = entry as { status?: unknown; code?: unknown }
  const state = RunState.safeParse(status)
  return { state: state.data ?? 'failed', code: typeof code === 'string' ? code.slice(0, 64) : null }
}

interface NewEntries {
  readonly index: number
  readonly entries: readonly RunEntry[]
  /** Bytes before them. */
  readonly totalBytes: number
  readonly at: string
}

function rowsOf(runId: string, { index, entries, totalBytes, at }: NewEntries): RunEntryRow[] {
  let total = totalBytes
  return entries.map((entry, offset) => {
    const body = JSON.stringify(entry)
    const bytes = Buffer.byteLength(body)
    if (bytes > MAX_RUN_ENTRY_BYTES)
      throw new CmdopError(
        'frame_too_large',
        `Expected an entry of at most ${MAX_RUN_ENTRY_BYTES} bytes, got ${bytes}.`,
      )
    total += bytes
    return { runId, position: index + offset, at, totalBytes: total, body }
  })
}

function refuseFull(rows: readonly RunEntryRow[]): void {
  const last = rows.at(-1)
  if (last === undefined || (last.position < MAX_RUN_ENTRIES && last.totalBytes <= MAX_RUN_BYTES)) return
  throw new CmdopError(
    'no_space',
    `The journal of a run holds ${MAX_RUN_ENTRIES} entries and ${MAX_RUN_BYTES} bytes at most; start another run.`,
  )
}

function secondWriter(index: number): CmdopError {
  return new CmdopError(
    'conflict',
    `Expected entry ${index} to be the next one of the run; somebody else has written to it meanwhile, so it goes on there.`,
  )
}
