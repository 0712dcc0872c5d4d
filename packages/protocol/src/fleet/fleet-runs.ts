import { z } from 'zod'
import { RunId } from '../runs.ts'
import { OutcomeName } from './outcomes.ts'

/** Machines of one fleet run at most. */
export const MAX_FLEET_RUN_TARGETS = 10_000

/** Bytes of the plan of one at most, as JSON. */
export const MAX_FLEET_PLAN_BYTES = 1024 * 1024

/** Bytes of how it ended on one machine at most, as JSON; what does not fit is said to be left out by who writes it. */
export const MAX_FLEET_ROW_BYTES = 4 * 1024 * 1024

/** Rows in one `POST /api/fleet-runs/:run/rows` at most, and bytes of its body. */
export const MAX_FLEET_APPEND_ROWS = 500
export const MAX_FLEET_APPEND_BYTES = 8 * 1024 * 1024

/** Bytes of rows in one answer, if it has more than one. */
export const FLEET_ROW_PAGE_BYTES = 4 * 1024 * 1024

/** What is done on each machine. */
export const FleetRunKind = z.enum(['exec', 'run', 'copy', 'playbook'])
export type FleetRunKind = z.infer<typeof FleetRunKind>

/** How a fleet run stands. `running`: also one whose script is gone without a word. `paused`: it waits, see {@link FleetRunWait}. */
export const FleetRunState = z.enum(['running', 'paused', 'ended', 'stopped', 'cancelled'])
export type FleetRunState = z.infer<typeof FleetRunState>

/**
 * What a fleet run waits for before it begins another machine: that a person continues it, after the check of a wave or, without
 * one, because somebody paused it; or that people decide about an approval.
 */
export const FleetRunWait = z.discriminatedUnion('for', [
  z.strictObject({
    for: z.literal('person').describe('Whom the run waits for'),
    wave: z
      .number()
      .int()
      .min(1)
      .nullable()
      .describe('The wave whose check asks for it; null: somebody has paused the run'),
    reason: z.string().max(4096).describe('Why, for people'),
  }),
  z.strictObject({
    for: z.literal('approval').describe('Whom the run waits for'),
    approvalId: z.string().min(1).max(64).describe('Id of the approval that people decide about'),
  }),
])
export type FleetRunWait = z.infer<typeof FleetRunWait>

/** Why a run stopped before all of its machines were tried, for programs and for people. */
export const FleetRunStop = z.object({
  reason: z
    .enum(['failures', 'check', 'cancelled', 'denied', 'budget', 'expired', 'ledger'])
    .describe('Why it stopped, for programs'),
  message: z.string().max(4096).describe('Why it stopped, for people'),
})
export type FleetRunStop = z.infer<typeof FleetRunStop>

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/)

/** Body of `POST /api/fleet-runs`: a run begins. The same again begins nothing; another one of that id is `conflict`. */
export const FleetRunCreate = z.strictObject({
  runId: RunId.describe('Id of the run, a UUID that its script makes'),
  kind: FleetRunKind.describe('What is done on each machine'),
  title: z.string().max(256).describe('What it is for, for people'),
  plan: z
    .record(z.string(), z.unknown())
    .describe('What is done, as its script goes on by it; the relay reads nothing of it'),
  planDigest: Sha256.describe('SHA-256 of the canonical JSON of plan and machines, hex'),
  targets: z
    .array(
      z.strictObject({
        machineId: z.string().min(1).max(64).describe('Id of the machine'),
        wave: z.number().int().min(1).describe('Wave in which it is done, from 1'),
      }),
    )
    .max(MAX_FLEET_RUN_TARGETS)
    .describe('Its machines in order, and in which wave each is, from 1'),
})
export type FleetRunCreate = z.infer<typeof FleetRunCreate>

/** Body of `POST /api/fleet-runs/:run/claim`: its script goes on with it; whoever wrote before writes no more. */
export const FleetRunClaim = z.strictObject({
  retry: z
    .array(OutcomeName)
    .min(1)
    .optional()
    .describe(
      'Machines with these outcomes are to be done again, as a new generation. Default: none, only what is not done.',
    ),
  again: z
    .boolean()
    .default(false)
    .describe('Somebody wants it done again: also a run that was cancelled, and whatever people have let go on before'),
})
export type FleetRunClaim = z.input<typeof FleetRunClaim>

/** Body of `POST /api/fleet-runs/:run/pause`. */
export const FleetRunPause = z.strictObject({
  reason: z.string().max(2048).default('').describe('Why, for people'),
})
export type FleetRunPause = z.input<typeof FleetRunPause>

/** Body of `POST /api/fleet-runs/:run/rows`: how it ended on some machines, and how the run stands. */
export const FleetRunAppend = z.strictObject({
  epoch: z
    .number()
    .int()
    .min(1)
    .describe('Number that the run was claimed with; `conflict` where another script has claimed it since'),
  rows: z
    .array(
      z.strictObject({
        machineId: z.string().min(1).max(64).describe('Id of the machine'),
        outcome: OutcomeName.describe('How it ended there'),
        row: z.record(z.string(), z.unknown()).describe('What the script knows of it, as JSON'),
      }),
    )
    .max(MAX_FLEET_APPEND_ROWS)
    .describe('How it ended on some machines'),
  state: FleetRunState.exclude(['paused']).optional().describe('How the run stands from now on; absent: as before'),
  stop: FleetRunStop.optional().describe('Why it stopped before all machines were tried'),
  wait: FleetRunWait.nullable()
    .optional()
    .describe(
      'What it waits for from now on; null: for nothing any more. That somebody has paused it stays until somebody continues it.',
    ),
})
export type FleetRunAppend = z.infer<typeof FleetRunAppend>

/** Answer to it. */
export const FleetRunAppended = z.object({
  cancelRequested: z.boolean().describe('Whether somebody wants the run to be cancelled'),
  wait: FleetRunWait.nullable().describe('What the run waits for; null: for nothing'),
  continuedWave: z.number().int().describe('The last wave after whose check a person has let the run go on; 0: none'),
})
export type FleetRunAppended = z.infer<typeof FleetRunAppended>

/** A fleet run as the relay lists it. */
export const FleetRunSummary = z.object({
  runId: z.string().describe('Id of the run'),
  fleetId: z.string().describe('Id of the fleet that it is of'),
  principalId: z.string().describe('Id of the principal whose run it is: only it goes on with it'),
  kind: FleetRunKind.describe('What is done on each machine'),
  title: z.string().describe('What it is for, for people'),
  planDigest: z.string().describe('SHA-256 of the canonical JSON of plan and machines, hex'),
  state: FleetRunState.describe('How it stands; `running`: also one whose script is gone without a word'),
  stop: FleetRunStop.nullable().describe('Why it stopped before all machines were tried; null: it did not'),
  wait: FleetRunWait.nullable().describe('What it waits for; null: for nothing'),
  continuedWave: z.number().int().describe('The last wave after whose check a person has let it go on; 0: none'),
  generation: z.number().int().describe('How often machines were asked for again'),
  targets: z.number().int().describe('How many machines it has'),
  counts: z
    .partialRecord(OutcomeName, z.number().int())
    .describe('How many machines have each outcome; those that are not done have none'),
  cancelRequestedAt: z.iso.datetime().nullable().describe('When somebody wanted it to be cancelled; null: nobody did'),
  createdAt: z.iso.datetime().describe('When it was made'),
  updatedAt: z.iso.datetime().describe('When it was last changed'),
})
export type FleetRunSummary = z.infer<typeof FleetRunSummary>

/** Answer to `GET /api/fleet-runs/:run`. */
export const FleetRunDetails = FleetRunSummary.extend({
  plan: z
    .record(z.string(), z.unknown())
    .nullable()
    .describe("What is done; null for another principal than the run's, which alone goes on with it"),
})
export type FleetRunDetails = z.infer<typeof FleetRunDetails>

/** Answer to claiming: what the script goes on with. */
export const FleetRunClaimed = z.object({
  epoch: z.number().int().describe('Number of this claim, to be sent with what is written'),
  run: FleetRunSummary.describe('How the run stands'),
  plan: z.record(z.string(), z.unknown()).describe('What is done, as its script wrote it'),
})
export type FleetRunClaimed = z.infer<typeof FleetRunClaimed>

/** Answer to creating. */
export const FleetRunCreated = FleetRunClaimed.extend({
  existed: z
    .boolean()
    .describe(
      'Whether it was there already: its script may have been killed, or the answer lost. It is claimed, as any run that somebody goes on with.',
    ),
})
export type FleetRunCreated = z.infer<typeof FleetRunCreated>

export const FleetRunListQuery = z.object({
  state: FleetRunState.optional().describe('Only those that stand so'),
  limit: z.coerce.number().int().min(1).max(500).default(100).describe('Items in one page at most'),
  cursor: z.string().max(1024).optional().describe('The `next_cursor` of the page before; absent: the first page'),
})
export type FleetRunListQuery = z.infer<typeof FleetRunListQuery>

/** Newest first. */
export const FleetRunList = z.object({
  items: z.array(FleetRunSummary).describe('Runs, the newest first'),
  next_cursor: z.string().nullable().describe('Cursor of the next page; null where this is the last one'),
  has_more: z.boolean().describe('Whether another page follows'),
})
export type FleetRunList = z.infer<typeof FleetRunList>

/** One machine of a fleet run. */
export const FleetRunTarget = z.object({
  machineId: z.string().describe('Id of the machine'),
  name: z.string().describe('What the machine was called when the run began'),
  wave: z.number().int().describe('Wave in which it is done, from 1'),
  generation: z.number().int().describe('Generation in which its outcome was written, or will be'),
  outcome: OutcomeName.nullable().describe('How it ended there; null: it is not done'),
  row: z
    .record(z.string(), z.unknown())
    .nullable()
    .describe('What the script knows of it, as JSON; null: it is not done'),
})
export type FleetRunTarget = z.infer<typeof FleetRunTarget>

export const FleetRunTargetsQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(500).describe('Items in one page at most'),
  cursor: z.coerce.number().int().min(0).default(0).describe('The `next_cursor` of the page before; 0: the first page'),
})
export type FleetRunTargetsQuery = z.input<typeof FleetRunTargetsQuery>

/** In order. */
export const FleetRunTargetList = z.object({
  items: z.array(FleetRunTarget).describe('The items of this page, in order'),
  next_cursor: z.number().int().nullable().describe('Cursor of the next page; null where this is the last one'),
  has_more: z.boolean().describe('Whether another page follows'),
})
export type FleetRunTargetList = z.infer<typeof FleetRunTargetList>
