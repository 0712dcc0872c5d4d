import { z } from 'zod'
import { OutcomeName } from './fleet/outcomes.ts'
import { MAX_PROMPT_CHARACTERS } from './methods/ask.ts'
import { PlainRestrictions, Restrictions } from './methods/restrictions.ts'
import { ShownName } from './names.ts'
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
  webhook_ids: z
    .array(z.string().min(1).max(64))
    .min(1)
    .max(10)
    .describe('Ids of webhooks of the fleet, see `POST /api/webhooks`'),
  on: z.array(ScheduleNotice).min(1).max(3).default(['failure', 'missed']).describe('Which ends of runs are told'),
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

const name = ShownName
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

/** What the fields of a schedule are, in every form of it. */
const about = {
  name: 'What people call it',
  description: 'What it is for, for people',
  cron_expr: 'When: five fields, six with seconds in front, or a word such as `@daily`',
  timezone: 'Name of the time zone in which the fields are meant: `UTC`, `Europe/Berlin`',
  command: 'For `/bin/sh -c`; empty or null where there is a prompt',
  target_kind: 'On which machines it acts',
  is_enabled: 'False pauses it; what passes meanwhile is not missed',
  machine_ids: 'For `specific_machines`: their ids; none of them means no machine',
  last_run_at: 'When a run of it began last; null: never',
  next_run_at: 'The next instant; null while it is paused',
  last_status: 'How the last run stands or ended; null: there was none',
  last_error: 'Why the last run did not succeed; null where it did',
  prompt: 'For the operator that lives on the machine, instead of a command; null: none',
  output_schema: 'JSON Schema of the answer to the prompt; null: it is text',
  selector: 'For `selector`: as `role=web,env!=dev`, looked at again at every run',
  timeout_seconds: 'Seconds on each machine, after which the machine ends it',
  overlap: 'What happens while the run before is not over: nothing, it waits, or the run before is ended first',
  retries: 'How often it is tried again on a machine where it failed, timed out, or that was not reached',
  retry_wait_seconds: 'Seconds before each further try',
  missed: 'What becomes of instants that passed while no relay was there: nothing, or one run for all',
  grace_seconds: 'Seconds by which an instant may be late and still runs',
  concurrency: 'Machines at once, at most',
  approval_wait_seconds:
    'Seconds that a call waits for people where a policy asks them; 0: it is refused with `approval_required`',
  max_output_bytes: 'Bytes at the end of the output that are kept of each machine',
  keep_runs: 'Runs that are kept; the oldest are forgotten',
  restrictions: 'What it may not do; the kernel of the machine holds it. Null: no restriction.',
  notify: 'Who is told how runs end; null: nobody',
  acts_for_id: 'Id of the principal for whom it acts, with the rights that one has when it fires: who wrote it last',
} as const

/** A command that runs on machines at certain times. */
export const ScheduleView = z.object({
  id: z.string().describe('Id of the schedule'),
  fleet_id: z.string().describe('Id of the fleet that it is of'),
  name: z.string().describe(about.name),
  description: z.string().describe(about.description),
  cron_expr: z.string().describe(about.cron_expr),
  timezone: z.string().describe(about.timezone),
  command: z.string().describe(about.command),
  target_kind: ScheduleTargetKind.describe(about.target_kind),
  is_enabled: z.boolean().describe(about.is_enabled),
  machine_ids: z.array(z.string()).describe(about.machine_ids),
  created_at: instant.describe('When it was made'),
  updated_at: instant.describe('When it was last changed'),
  last_run_at: instant.nullable().describe(about.last_run_at),
  next_run_at: instant.nullable().describe(about.next_run_at),
  last_status: ScheduleRunStatus.nullable().describe(about.last_status),
  last_error: z.string().nullable().describe(about.last_error),
  prompt: z.string().nullable().describe(about.prompt),
  output_schema: z.record(z.string(), z.unknown()).nullable().describe(about.output_schema),
  selector: z.string().nullable().describe(about.selector),
  timeout_seconds: z.number().int().describe(about.timeout_seconds),
  overlap: ScheduleOverlap.describe(about.overlap),
  retries: z.number().int().describe(about.retries),
  retry_wait_seconds: z.number().describe(about.retry_wait_seconds),
  missed: ScheduleMissed.describe(about.missed),
  grace_seconds: z.number().describe(about.grace_seconds),
  concurrency: z.number().int().describe(about.concurrency),
  approval_wait_seconds: z.number().int().describe(about.approval_wait_seconds),
  max_output_bytes: z.number().int().describe(about.max_output_bytes),
  keep_runs: z.number().int().describe(about.keep_runs),
  restrictions: PlainRestrictions.nullable().describe(about.restrictions),
  notify: ScheduleNotify.nullable().describe(about.notify),
  acts_for_id: z.string().describe(about.acts_for_id),
})
export type ScheduleView = z.infer<typeof ScheduleView>

export const ScheduleList = z.object({
  items: z.array(ScheduleView).describe('Schedules of the fleet'),
  offset: z.number().int().describe('Items before these'),
  per_page: z.number().int().describe('Items in one page at most'),
  total: z.number().int().describe('Items in all pages'),
})
export type ScheduleList = z.infer<typeof ScheduleList>

export const ScheduleListQuery = OffsetQuery

/** Body of `POST /api/fleets/{fleet}/schedules`: a command or a prompt. Fields as in {@link ScheduleView}. */
export const ScheduleCreate = z.strictObject({
  name: name.describe(about.name),
  cron_expr: cron.describe(about.cron_expr),
  command: command.nullable().optional().describe(about.command),
  prompt: prompt.nullable().optional().describe(about.prompt),
  output_schema: outputSchema.nullable().optional().describe(about.output_schema),
  description: description.default('').describe(about.description),
  timezone: timezone.default('UTC').describe(about.timezone),
  target_kind: ScheduleTargetKind.default('all_fleet_machines').describe(about.target_kind),
  machine_ids: machineIds.nullable().optional().describe(about.machine_ids),
  selector: selector.nullable().optional().describe(about.selector),
  is_enabled: z.boolean().default(true).describe(about.is_enabled),
  timeout_seconds: timeout.default(300).describe(about.timeout_seconds),
  overlap: ScheduleOverlap.default('skip').describe(about.overlap),
  retries: retries.default(0).describe(about.retries),
  retry_wait_seconds: retryWait.default(5).describe(about.retry_wait_seconds),
  missed: ScheduleMissed.default('skip').describe(about.missed),
  grace_seconds: grace.default(5).describe(about.grace_seconds),
  concurrency: concurrency.default(20).describe(about.concurrency),
  approval_wait_seconds: approvalWait.default(0).describe(about.approval_wait_seconds),
  max_output_bytes: outputBytes.default(16_384).describe(about.max_output_bytes),
  keep_runs: keepRuns.default(100).describe(about.keep_runs),
  restrictions: Restrictions.nullable().optional().describe(about.restrictions),
  notify: ScheduleNotify.nullable().optional().describe(about.notify),
})
export type ScheduleCreate = z.input<typeof ScheduleCreate>

/** Body of `PATCH .../schedules/{id}`: what is absent stays, and null is none. */
export const ScheduleUpdate = z.strictObject({
  name: name.optional().describe(about.name),
  cron_expr: cron.optional().describe(about.cron_expr),
  command: command.nullable().optional().describe(about.command),
  prompt: prompt.nullable().optional().describe(about.prompt),
  output_schema: outputSchema.nullable().optional().describe(about.output_schema),
  description: description.nullable().optional().describe(about.description),
  timezone: timezone.optional().describe(about.timezone),
  target_kind: ScheduleTargetKind.optional().describe(about.target_kind),
  machine_ids: machineIds.nullable().optional().describe(about.machine_ids),
  selector: selector.nullable().optional().describe(about.selector),
  is_enabled: z.boolean().optional().describe(about.is_enabled),
  timeout_seconds: timeout.optional().describe(about.timeout_seconds),
  overlap: ScheduleOverlap.optional().describe(about.overlap),
  retries: retries.optional().describe(about.retries),
  retry_wait_seconds: retryWait.optional().describe(about.retry_wait_seconds),
  missed: ScheduleMissed.optional().describe(about.missed),
  grace_seconds: grace.optional().describe(about.grace_seconds),
  concurrency: concurrency.optional().describe(about.concurrency),
  approval_wait_seconds: approvalWait.optional().describe(about.approval_wait_seconds),
  max_output_bytes: outputBytes.optional().describe(about.max_output_bytes),
  keep_runs: keepRuns.optional().describe(about.keep_runs),
  restrictions: Restrictions.nullable().optional().describe(about.restrictions),
  notify: ScheduleNotify.nullable().optional().describe(about.notify),
})
export type ScheduleUpdate = z.input<typeof ScheduleUpdate>

/** Answers `POST .../schedules/{id}/run`. */
export const ScheduleTriggered = z.object({
  queued: z.boolean().describe('Whether it is under way, or waits for the run before'),
  job_id: z.string().describe('Id of the run'),
})
export type ScheduleTriggered = z.infer<typeof ScheduleTriggered>

/** One run of a schedule, over all of its machines. */
export const ScheduleRunView = z.object({
  id: z.string().describe('Id of the run'),
  schedule_id: z.string().describe('Id of the schedule'),
  fleet_id: z.string().describe('Id of the fleet that it is of'),
  status: ScheduleRunStatus.describe('How it stands; of `missed` and `skipped` nothing ran'),
  started_at: instant.describe(
    'When it began; of one that has not begun, and never will, the instant at which it was due',
  ),
  finished_at: instant.nullable().describe('When it ended; null: not yet'),
  duration_seconds: z.number().nullable().describe('Seconds from its beginning to its end'),
  error: z.string().describe('Why it is no success; empty where it is'),
  error_code: z.string().nullable().describe('Error code of the run itself, which no machine has; null: none'),
  command_count: z.number().int().describe('Machines on which it acts'),
  due_at: instant.describe('The instant at which it was due; of one that somebody has triggered, when'),
  trigger: z
    .enum(['time', 'manual', 'missed'])
    .describe('What made it: its time, somebody (`manual`), or that instants were missed'),
  counts: z.record(z.string(), z.number().int()).describe('Machines by how it ended there, once it is over'),
})
export type ScheduleRunView = z.infer<typeof ScheduleRunView>

export const ScheduleRunList = z.object({
  items: z.array(ScheduleRunView).describe('Runs, the newest first'),
  next_cursor: z.string().nullable().describe('Cursor of the next page; null where this is the last one'),
})
export type ScheduleRunList = z.infer<typeof ScheduleRunList>

export const ScheduleRunListQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50).describe('Items in one page at most'),
  cursor: z.string().max(1024).optional().describe('The `next_cursor` of the page before; absent: the first page'),
})
export type ScheduleRunListQuery = z.infer<typeof ScheduleRunListQuery>

/** What a run did on one machine. */
export const ScheduleResultView = z.object({
  machine_id: z.string().describe('Id of the machine'),
  machine_name: z.string().describe('What the machine was called then'),
  status: ScheduleResultStatus.describe('How it stands or ended on this machine'),
  exit_code: z
    .number()
    .int()
    .nullable()
    .describe('Exit code; null: it was a prompt, did not end by itself, or is not known'),
  signal: z.string().nullable().describe('The signal that ended it: `SIGTERM`; null: none'),
  output: z
    .string()
    .describe('The end of what it wrote, stdout and stderr as they came; of a prompt, the text of the answer'),
  output_truncated: z.boolean().describe('Whether there was more than is kept'),
  output_bytes: z.number().int().describe('Bytes that it wrote'),
  answer: z.unknown().describe('What fits the JSON Schema that was asked for; null without one'),
  error: z.string().describe('Why it is no success; empty where it is'),
  error_code: z.string().nullable().describe('Error code of why it is no success; null where it is'),
  approval_id: z.string().nullable().describe('Id of the question to people, where a policy asks them'),
  call_id: z.string().describe('Id of the last call, by which the audit log and recordings know it'),
  attempts: z.number().int().describe('How often it was tried'),
  started_at: instant.nullable().describe('When it began there; null: it did not'),
  finished_at: instant.nullable().describe('When it ended there; null: it did not'),
})
export type ScheduleResultView = z.infer<typeof ScheduleResultView>

/** A run with what it did on its machines, in order of their names. */
export const ScheduleRunDetail = ScheduleRunView.extend({
  results: z.array(ScheduleResultView).describe('What it did on its machines, in order of their names'),
  next_cursor: z.string().nullable().describe('Cursor of the next page; null where this is the last one'),
})
export type ScheduleRunDetail = z.infer<typeof ScheduleRunDetail>

export const ScheduleRunDetailQuery = z.object({
  limit: z.coerce.number().int().min(1).max(500).default(100).describe('Machines in one answer at most'),
  cursor: z.string().max(1024).optional().describe('The `next_cursor` of the page before; absent: the first page'),
})
export type ScheduleRunDetailQuery = z.infer<typeof ScheduleRunDetailQuery>
