import { z } from 'zod'
import { OutcomeName } from './fleet/outcomes.ts'
import { MAX_PROMPT_CHARACTERS } from './methods/ask.ts'
import { PlainRestrictions, Restrictions } from './methods/restrictions.ts'
import { OffsetQuery } from './rest-identity.ts'

const instant = z.iso.datetime()

/** Schedules of a fleet at most. */
export const MAX_SCHEDULES = 10_000

/** Machines that a schedule names at most. */
export const MAX_SCHEDULE_MACHINES = 1000

/** Runs of one schedule that wait for the one before them at most (overlap `queue`); what comes then is skipped. */
export const MAX_QUEUED_RUNS = 100

/**
 * On which machines a schedule acts. There is no other word for it, and none that is not known means all: what is not of this list is
 * refused.
 */
export const ScheduleTargetKind = z.enum(['all_fleet_machines', 'specific_machines', 'selector'])
export type ScheduleTargetKind = z.infer<typeof ScheduleTargetKind>

/** What happens at an instant at which the run before is not over: nothing, it waits, or the run before is ended first. */
export const ScheduleOverlap = z.enum(['skip', 'queue', 'cancel'])
export type ScheduleOverlap = z.infer<typeof ScheduleOverlap>

/** What becomes of instants that passed while no relay was there: nothing runs, or one run for all of them. Each is reported. */
export const ScheduleMissed = z.enum(['skip', 'run_once'])
export type ScheduleMissed = z.infer<typeof ScheduleMissed>

/** What is told to webhooks. */
export const ScheduleNotice = z.enum(['success', 'failure', 'missed'])
export type ScheduleNotice = z.infer<typeof ScheduleNotice>

/** Who is told how runs end. */
export const ScheduleNotify = z.strictObject({
  /** Ids of webhooks of the fleet, see `POST /api/webhooks`. */
  webhook_ids: z.array(z.string().min(1).max(64)).min(1).max(10),
  /** What is told. */
  on: z.array(ScheduleNotice).min(1).max(3).default(['failure', 'missed']),
})
export type ScheduleNotify = z.output<typeof ScheduleNotify>

/**
 * How a run stands. `success`: every machine said exit code 0, or gave its answer. `failed`: some did not, or it could not begin.
 * `missed`: no relay was there at its instant; `skipped`: the run before was not over. Of both nothing ran.
 */
export const ScheduleRunStatus = z.enum(['pending', 'running', 'success', 'failed', 'cancelled', 'missed', 'skipped'])
export type ScheduleRunStatus = z.infer<typeof ScheduleRunStatus>

/** How it stands on one machine: not yet begun, under way, or how it ended, with the words of fleet runs. */
export const ScheduleResultStatus = z.enum(['pending', 'running', ...OutcomeName.options])
export type ScheduleResultStatus = z.infer<typeof ScheduleResultStatus>

const name = z.string().min(1).max(120)
const description = z.string().max(2000)
const cron = z.string().min(1).max(200)
const timezone = z.string().min(1).max(64)
const command = z.string().min(1).max(65_536)
const prompt = z.string().min(1).max(MAX_PROMPT_CHARACTERS)
const outputSchema = z.record(z.string(), z.unknown())
const machineIds = z.array(z.string().min(1).max(64)).max(MAX_SCHEDULE_MACHINES)
const selector = z.string().min(1).max(8192)
const timeout = z.number().int().min(1).max(86_400)
const retries = z.number().int().min(0).max(10)
const retryWait = z.number().min(0).max(3600)
const grace = z.number().min(0.1).max(3600)
const concurrency = z.number().int().min(1).max(500)
const approvalWait = z.number().int().min(0).max(86_400)
const outputBytes = z.number().int().min(0).max(262_144)
const keepRuns = z.number().int().min(1).max(10_000)

/** A command that runs on machines at certain times. */
export const ScheduleView = z.object({
  id: z.string(),
  fleet_id: z.string(),
  name: z.string(),
  description: z.string(),
  /** Five fields, six with seconds in front, or a word such as `@daily`. */
  cron_expr: z.string(),
  /** Name of the time zone in which the fields are meant: `UTC`, `Europe/Berlin`. */
  timezone: z.string(),
  /** For `/bin/sh -c`; empty where there is a prompt. */
  command: z.string(),
  target_kind: ScheduleTargetKind,
  is_enabled: z.boolean(),
  /** For `specific_machines`: their ids; none of them means no machine. */
  machine_ids: z.array(z.string()),
  created_at: instant,
  updated_at: instant,
  /** When a run of it began last. */
  last_run_at: instant.nullable(),
  /** The next instant; null while it is paused. */
  next_run_at: instant.nullable(),
  /** How the last run ended. */
  last_status: ScheduleRunStatus.nullable(),
  /** Why the last run did not succeed; null where it did. */
  last_error: z.string().nullable(),
  /** For the operator that lives on the machine, instead of a command. */
  prompt: z.string().nullable(),
  /** JSON Schema of its answer. */
  output_schema: z.record(z.string(), z.unknown()).nullable(),
  /** For `selector`: as `role=web,env!=dev`, looked at again at every run. */
  selector: z.string().nullable(),
  /** Seconds on each machine, after which the machine ends it. */
  timeout_seconds: z.number().int(),
  overlap: ScheduleOverlap,
  /** How often it is tried again on a machine where it failed, timed out, or that was not reached. */
  retries: z.number().int(),
  /** Seconds before each further try. */
  retry_wait_seconds: z.number(),
  missed: ScheduleMissed,
  /** Seconds by which an instant may be late and still runs. */
  grace_seconds: z.number(),
  /** Machines at once. */
  concurrency: z.number().int(),
  /** Seconds that a call waits for people where a policy asks them; 0: it is refused with `approval_required`. */
  approval_wait_seconds: z.number().int(),
  /** Bytes at the end of the output that are kept of each machine. */
  max_output_bytes: z.number().int(),
  /** Runs that are kept; the oldest are forgotten. */
  keep_runs: z.number().int(),
  /** What it may not do; the kernel of the machine holds it. */
  restrictions: PlainRestrictions.nullable(),
  notify: ScheduleNotify.nullable(),
  /** Id of the principal for whom it acts, with the rights that one has when it fires: who wrote it last. */
  acts_for_id: z.string(),
})
export type ScheduleView = z.infer<typeof ScheduleView>

export const ScheduleList = z.object({
  items: z.array(ScheduleView),
  offset: z.number().int(),
  per_page: z.number().int(),
  total: z.number().int(),
})
export type ScheduleList = z.infer<typeof ScheduleList>

export const ScheduleListQuery = OffsetQuery

/** Body of `POST /api/fleets/{fleet}/schedules`: a command or a prompt. Fields as in {@link ScheduleView}. */
export const ScheduleCreate = z.strictObject({
  name,
  cron_expr: cron,
  command: command.nullable().optional(),
  prompt: prompt.nullable().optional(),
  output_schema: outputSchema.nullable().optional(),
  description: description.default(''),
  timezone: timezone.default('UTC'),
  target_kind: ScheduleTargetKind.default('all_fleet_machines'),
  machine_ids: machineIds.nullable().optional(),
  selector: selector.nullable().optional(),
  is_enabled: z.boolean().default(true),
  timeout_seconds: timeout.default(300),
  overlap: ScheduleOverlap.default('skip'),
  retries: retries.default(0),
  retry_wait_seconds: retryWait.default(5),
  missed: ScheduleMissed.default('skip'),
  grace_seconds: grace.default(5),
  concurrency: concurrency.default(20),
  approval_wait_seconds: approvalWait.default(0),
  max_output_bytes: outputBytes.default(16_384),
  keep_runs: keepRuns.default(100),
  restrictions: Restrictions.nullable().optional(),
  notify: ScheduleNotify.nullable().optional(),
})
export type ScheduleCreate = z.input<typeof ScheduleCreate>

/** Body of `PATCH .../schedules/{id}`: what is absent stays, and null is none. */
export const ScheduleUpdate = z.strictObject({
  name: name.optional(),
  cron_expr: cron.optional(),
  /** Null: none, where a prompt takes its place. */
  command: command.nullable().optional(),
  prompt: prompt.nullable().optional(),
  output_schema: outputSchema.nullable().optional(),
  description: description.nullable().optional(),
  timezone: timezone.optional(),
  target_kind: ScheduleTargetKind.optional(),
  /** Null or an empty list: no machine. */
  machine_ids: machineIds.nullable().optional(),
  selector: selector.nullable().optional(),
  /** False pauses it; what passes meanwhile is not missed. */
  is_enabled: z.boolean().optional(),
  timeout_seconds: timeout.optional(),
  overlap: ScheduleOverlap.optional(),
  retries: retries.optional(),
  retry_wait_seconds: retryWait.optional(),
  missed: ScheduleMissed.optional(),
  grace_seconds: grace.optional(),
  concurrency: concurrency.optional(),
  approval_wait_seconds: approvalWait.optional(),
  max_output_bytes: outputBytes.optional(),
  keep_runs: keepRuns.optional(),
  restrictions: Restrictions.nullable().optional(),
  notify: ScheduleNotify.nullable().optional(),
})
export type ScheduleUpdate = z.input<typeof ScheduleUpdate>

/** Answers `POST .../schedules/{id}/run`. */
export const ScheduleTriggered = z.object({
  /** It is under way, or waits for the run before. */
  queued: z.boolean(),
  /** Id of the run. */
  job_id: z.string(),
})
export type ScheduleTriggered = z.infer<typeof ScheduleTriggered>

/** One run of a schedule, over all of its machines. */
export const ScheduleRunView = z.object({
  id: z.string(),
  schedule_id: z.string(),
  fleet_id: z.string(),
  status: ScheduleRunStatus,
  /** Of one that has not begun, and never will: the instant at which it was due. */
  started_at: instant,
  finished_at: instant.nullable(),
  /** From its beginning to its end. */
  duration_seconds: z.number().nullable(),
  /** Why it is no success; empty where it is. */
  error: z.string(),
  /** Code of an error of the run itself, which no machine has. */
  error_code: z.string().nullable(),
  /** Machines on which it acts. */
  command_count: z.number().int(),
  /** The instant at which it was due; of one that somebody has triggered, when. */
  due_at: instant,
  /** What made it: its time, somebody (`manual`), or that instants were missed (`run_once`). */
  trigger: z.enum(['time', 'manual', 'missed']),
  /** Machines by how it ended there, once it is over. */
  counts: z.record(z.string(), z.number().int()),
})
export type ScheduleRunView = z.infer<typeof ScheduleRunView>

export const ScheduleRunList = z.object({ items: z.array(ScheduleRunView), next_cursor: z.string().nullable() })
export type ScheduleRunList = z.infer<typeof ScheduleRunList>

export const ScheduleRunListQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(1024).optional(),
})
export type ScheduleRunListQuery = z.infer<typeof ScheduleRunListQuery>

/** What a run did on one machine. */
export const ScheduleResultView = z.object({
  machine_id: z.string(),
  /** As it was called then. */
  machine_name: z.string(),
  status: ScheduleResultStatus,
  /** Null: it was a prompt, did not end by itself, or is not known. */
  exit_code: z.number().int().nullable(),
  /** The signal that ended it: `SIGTERM`. */
  signal: z.string().nullable(),
  /** The end of what it wrote, stdout and stderr as they came; of a prompt, the text of the answer. */
  output: z.string(),
  /** There was more than is kept. */
  output_truncated: z.boolean(),
  /** Bytes that it wrote. */
  output_bytes: z.number().int(),
  /** What fits the JSON Schema that was asked for; null without one. */
  answer: z.unknown(),
  /** Why it is no success; empty where it is. */
  error: z.string(),
  error_code: z.string().nullable(),
  /** The question to people, where a policy asks them. */
  approval_id: z.string().nullable(),
  /** Id of the last call, by which the audit log and recordings know it. */
  call_id: z.string(),
  /** Tries. */
  attempts: z.number().int(),
  started_at: instant.nullable(),
  finished_at: instant.nullable(),
})
export type ScheduleResultView = z.infer<typeof ScheduleResultView>

/** A run with what it did on its machines, in order of their names. */
export const ScheduleRunDetail = ScheduleRunView.extend({
  results: z.array(ScheduleResultView),
  next_cursor: z.string().nullable(),
})
export type ScheduleRunDetail = z.infer<typeof ScheduleRunDetail>

export const ScheduleRunDetailQuery = z.object({
  /** Machines of one answer. */
  limit: z.coerce.number().int().min(1).max(500).default(100),
  cursor: z.string().max(1024).optional(),
})
export type ScheduleRunDetailQuery = z.infer<typeof ScheduleRunDetailQuery>
