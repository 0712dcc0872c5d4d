import type { ScheduleOverlap, ScheduleResultStatus, ScheduleRunStatus, ScheduleView } from '@cmdop/protocol'
import type { NewPrincipal } from './principals.ts'

/** What a run of a schedule does. */
export type ScheduleWork = Pick<
  ScheduleView,
  | 'command'
  | 'prompt'
  | 'output_schema'
  | 'target_kind'
  | 'machine_ids'
  | 'selector'
  | 'timeout_seconds'
  | 'overlap'
  | 'retries'
  | 'retry_wait_seconds'
  | 'missed'
  | 'grace_seconds'
  | 'concurrency'
  | 'approval_wait_seconds'
  | 'max_output_bytes'
  | 'keep_runs'
  | 'restrictions'
  | 'notify'
>

/** A schedule. */
export interface ScheduleRow {
  /** Also the id of the principal that it is. */
  readonly id: string
  readonly fleetId: string
  readonly name: string
  readonly description: string
  readonly cronExpr: string
  readonly timezone: string
  readonly isEnabled: boolean
  readonly work: ScheduleWork
  /** For whom it acts, and the key with which that one wrote it: its limits hold. */
  readonly actsForId: string
  readonly keyId: string
  /** Grows with every change. */
  readonly revision: number
  readonly createdAt: string
  readonly updatedAt: string
  /** The first instant that nobody has claimed yet. */
  readonly nextRunAt: string | null
  readonly lastRunAt: string | null
  readonly lastStatus: ScheduleRunStatus | null
  readonly lastError: string | null
  /** Since then it is not there for anybody; its row goes once nothing of it runs. */
  readonly deletedAt: string | null
}

/** What of a schedule can be changed. */
export type ScheduleChange = Partial<
  Pick<
    ScheduleRow,
    'name' | 'description' | 'cronExpr' | 'timezone' | 'isEnabled' | 'work' | 'actsForId' | 'keyId' | 'nextRunAt'
  >
>

/** One run. */
export interface ScheduleRunRow {
  readonly id: string
  readonly scheduleId: string
  readonly fleetId: string
  readonly status: ScheduleRunStatus
  readonly trigger: 'time' | 'manual' | 'missed'
  /** The instant for which it is: one schedule has one run for it. Null: somebody has triggered it. */
  readonly dueAt: string | null
  /** The instant, or when it was triggered: by which runs are ordered. */
  readonly createdAt: string
  /** What it does; null once it is over. */
  readonly work: ScheduleWork | null
  /** Whoever wrote that work, and with which key: a schedule that is changed meanwhile lends it no other rights. */
  readonly actsForId: string
  readonly keyId: string
  readonly startedAt: string | null
  readonly finishedAt: string | null
  readonly error: string
  readonly errorCode: string | null
  readonly commandCount: number
  readonly counts: Readonly<Record<string, number>>
  /** The relay process that does it, until `leaseUntil`; then any other may take it over. */
  readonly relayInstance: string | null
  readonly leaseUntil: string | null
  readonly cancelRequestedAt: string | null
  /** Webhooks have been told, or are not to be. */
  readonly isTold: boolean
}

/** What a run did on one machine. */
export interface ScheduleResultRow {
  readonly runId: string
  readonly machineId: string
  readonly machineName: string
  readonly status: ScheduleResultStatus
  readonly callId: string
  readonly attempts: number
  readonly exitCode: number | null
  readonly signal: string | null
  readonly output: string
  readonly outputTruncated: boolean
  readonly outputBytes: number
  /** JSON. */
  readonly answer: string | null
  readonly error: string
  readonly errorCode: string | null
  readonly approvalId: string | null
  readonly startedAt: string | null
  readonly finishedAt: string | null
}

/** Instants of one schedule that are claimed together, and how it goes on. */
export interface ScheduleClaim {
  /** As it was read: where it is another by now, nothing is claimed. */
  readonly schedule: Pick<ScheduleRow, 'id' | 'revision' | 'nextRunAt'> & { readonly overlap: ScheduleOverlap }
  /** In order. Those that are `pending` are to run; the others are noted only. */
  readonly runs: readonly ScheduleRunRow[]
  readonly nextRunAt: string | null
}

/** Which relay process does a run, and until when it has said so. */
export interface ScheduleLease {
  readonly relayInstance: string
  readonly leaseUntil: string
}

/** What came of claims. */
export interface ScheduleClaimed {
  /** Runs that are there now; those that are `running` are the claimant's. */
  readonly runs: readonly ScheduleRunRow[]
  /** Runs that are to be cancelled for them. */
  readonly cancelled: readonly string[]
}

/** The position after the last row of a page of runs, the newest first, then by id. */
export interface ScheduleRunCursor {
  readonly createdAt: string
  readonly id: string
}

/** How a run ended. */
export type ScheduleRunEnd = Pick<ScheduleRunRow, 'status' | 'finishedAt' | 'error' | 'errorCode' | 'counts'>

/** Schedules, their runs, and who does them. */
export interface ScheduleStore {
  /** Adds a schedule with the principal that it is. */
  create(schedule: ScheduleRow, principal: NewPrincipal): Promise<void>
  /** Also one that is deleted. */
  get(scheduleId: string): Promise<ScheduleRow | undefined>
  /** Of one fleet, the oldest first, then by id; not those that are deleted. `total` counts them all. */
  list(fleetId: string, page: { offset: number; limit: number }): Promise<{ items: ScheduleRow[]; total: number }>
  /**
   * The row as it is then; undefined when it is another revision by now, or deleted. Where it is paused, what waits of its instants is
   * cancelled.
   */
  update(
    schedule: Pick<ScheduleRow, 'id' | 'revision'>,
    change: ScheduleChange & Pick<ScheduleRow, 'updatedAt'>,
  ): Promise<ScheduleRow | undefined>
  /** Marks it as deleted, what waits as cancelled, and what runs to be cancelled. Gives the ids of runs to cancel; undefined: it is not there. */
  remove(scheduleId: string, at: string): Promise<string[] | undefined>
  /** Removes deleted schedules of which nothing runs, with everything of them. */
  purge(): Promise<void>
  /** Enabled schedules whose next instant has come, the longest due first. */
  due(now: string, limit: number): Promise<ScheduleRow[]>
  /** The earliest next instant of all. */
  nextDue(): Promise<string | undefined>
  /**
   * Takes instants of schedules, all or none of each, of all relays one: who finds that somebody else was there gets nothing. What is
   * to run while the run before is not over is treated as its overlap says.
   */
  claim(claims: readonly ScheduleClaim[], lease: ScheduleLease, at: string): Promise<ScheduleClaimed>
  /** Adds a run that somebody has triggered, `pending`; `conflict` where the overlap is `skip` and a run is not over. Gives runs to cancel for it. */
  trigger(run: ScheduleRunRow, overlap: ScheduleOverlap): Promise<string[]>
  /** Waiting runs of schedules of which nothing runs, the oldest of each. */
  startable(limit: number): Promise<ScheduleRunRow[]>
  /** The run, if this call started it. */
  start(runId: string, lease: ScheduleLease, at: string): Promise<ScheduleRunRow | undefined>
  /** Prolongs the leases of these runs, where they are this process's. Gives the ids of those. */
  renew(runIds: readonly string[], lease: ScheduleLease): Promise<string[]>
  /** Lets go of everything that this process runs, for others to go on with. */
  release(relayInstance: string, at: string): Promise<void>
  /**
   * {@link release} of what earlier processes of this relay ran, where the lease ends before `silent`: one that lives has prolonged it.
   * A process is `<name of the relay>/<its own id>`.
   */
  releaseFormer(relayInstance: string, at: string, silent: string): Promise<void>
  /** Running ones whose lease has ended. */
  abandoned(now: string, limit: number): Promise<ScheduleRunRow[]>
  /** Takes an abandoned run; of many that try, one. */
  takeOver(run: ScheduleRunRow, lease: ScheduleLease): Promise<ScheduleRunRow | undefined>
  /** Runs of this process that somebody wants to be cancelled. */
  cancelled(relayInstance: string): Promise<string[]>
  /** A waiting run is cancelled by this; of one that runs it is noted. Gives how it stands; undefined: it is over. */
  cancel(runId: string, at: string): Promise<ScheduleRunStatus | undefined>
  /** Notes how it ended, for the schedule too. False: it had ended, or another process has it. */
  finish(
    run: Pick<ScheduleRunRow, 'id' | 'scheduleId' | 'relayInstance' | 'startedAt'>,
    end: ScheduleRunEnd,
  ): Promise<boolean>
  /** Adds machines of runs. */
  addResults(results: readonly ScheduleResultRow[]): Promise<void>
  /** Notes on how many machines a run acts. */
  count(runId: string, commandCount: number): Promise<void>
  /** Notes how it stands on one machine, unless it is over there, or the run is not this process's any more. */
  saveResult(result: ScheduleResultRow, relayInstance: string): Promise<void>
  getRun(runId: string): Promise<ScheduleRunRow | undefined>
  /** The newest first, then by id; `after` continues. */
  runs(scheduleId: string, page: { limit: number; after?: ScheduleRunCursor }): Promise<ScheduleRunRow[]>
  /** In order of machine names, then ids; `after` continues. */
  results(
    runId: string,
    page: { limit: number; after?: { machineName: string; machineId: string } },
  ): Promise<ScheduleResultRow[]>
  /** Runs that are over, of which nobody has been told. */
  untold(limit: number): Promise<ScheduleRunRow[]>
  told(runIds: readonly string[]): Promise<void>
  /**
   * Forgets runs that are over, but the newest: as many of those that ran, and as many of those that were skipped, missed or cancelled while
   * they waited. Those of which webhooks are still to be told stay.
   */
  prune(scheduleId: string, keep: number): Promise<void>
}
