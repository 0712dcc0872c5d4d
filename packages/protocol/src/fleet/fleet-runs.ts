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
    for: z.literal('person'),
    /** The wave whose check asks for it; null: somebody has paused the run. */
    wave: z.number().int().min(1).nullable(),
    reason: z.string().max(4096),
  }),
  z.strictObject({ for: z.literal('approval'), approvalId: z.string().min(1).max(64) }),
])
export type FleetRunWait = z.infer<typeof FleetRunWait>

/** Why a run stopped before all of its machines were tried, for programs and for people. */
export const FleetRunStop = z.object({
  reason: z.enum(['failures', 'check', 'cancelled', 'denied', 'budget', 'expired', 'ledger']),
  message: z.string().max(4096),
})
export type FleetRunStop = z.infer<typeof FleetRunStop>

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/)

/** Body of `POST /api/fleet-runs`: a run begins. The same again begins nothing; another one of that id is `conflict`. */
export const FleetRunCreate = z.strictObject({
  runId: RunId,
  kind: FleetRunKind,
  /** What it is for, for people. */
  title: z.string().max(256),
  /** What is done, as its script goes on by it; the relay reads nothing of it. */
  plan: z.record(z.string(), z.unknown()),
  /** SHA-256 of the canonical JSON of plan and machines, hex. */
  planDigest: Sha256,
  /** Its machines in order, and in which wave each is, from 1. */
  targets: z
    .array(z.strictObject({ machineId: z.string().min(1).max(64), wave: z.number().int().min(1) }))
    .max(MAX_FLEET_RUN_TARGETS),
})
export type FleetRunCreate = z.infer<typeof FleetRunCreate>

/** Body of `POST /api/fleet-runs/:run/claim`: its script goes on with it; whoever wrote before writes no more. */
export const FleetRunClaim = z.strictObject({
  /** Machines with these outcomes are to be done again, as a new generation. Default: none, only what is not done. */
  retry: z.array(OutcomeName).min(1).optional(),
  /** Somebody wants it done again: also a run that was cancelled, and whatever people have let go on before. */
  again: z.boolean().default(false),
})
export type FleetRunClaim = z.input<typeof FleetRunClaim>

/** Body of `POST /api/fleet-runs/:run/pause`. */
export const FleetRunPause = z.strictObject({
  /** Why, for people. */
  reason: z.string().max(2048).default(''),
})
export type FleetRunPause = z.input<typeof FleetRunPause>

/** Body of `POST /api/fleet-runs/:run/rows`: how it ended on some machines, and how the run stands. */
export const FleetRunAppend = z.strictObject({
  /** As the run was claimed with. Another one has claimed it since: `conflict`. */
  epoch: z.number().int().min(1),
  rows: z
    .array(
      z.strictObject({
        machineId: z.string().min(1).max(64),
        outcome: OutcomeName,
        /** What the script knows of it. */
        row: z.record(z.string(), z.unknown()),
      }),
    )
    .max(MAX_FLEET_APPEND_ROWS),
  state: FleetRunState.exclude(['paused']).optional(),
  stop: FleetRunStop.optional(),
  /** What it waits for from now on; null: for nothing any more. That somebody has paused it stays until somebody continues it. */
  wait: FleetRunWait.nullable().optional(),
})
export type FleetRunAppend = z.infer<typeof FleetRunAppend>

/** Answer to it. */
export const FleetRunAppended = z.object({
  /** Somebody wants the run to be cancelled. */
  cancelRequested: z.boolean(),
  /** What the run waits for. */
  wait: FleetRunWait.nullable(),
  /** The last wave after whose check a person has let the run go on; 0: none. */
  continuedWave: z.number().int(),
})
export type FleetRunAppended = z.infer<typeof FleetRunAppended>

/** A fleet run as the relay lists it. */
export const FleetRunSummary = z.object({
  runId: z.string(),
  fleetId: z.string(),
  /** Whose run it is: only it goes on with it. */
  principalId: z.string(),
  kind: FleetRunKind,
  title: z.string(),
  planDigest: z.string(),
  state: FleetRunState,
  stop: FleetRunStop.nullable(),
  /** What it waits for. */
  wait: FleetRunWait.nullable(),
  /** The last wave after whose check a person has let it go on; 0: none. */
  continuedWave: z.number().int(),
  /** How often machines were asked for again. */
  generation: z.number().int(),
  /** Machines, and how many have each outcome; those that are not done have none. */
  targets: z.number().int(),
  counts: z.partialRecord(OutcomeName, z.number().int()),
  cancelRequestedAt: z.iso.datetime().nullable(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
})
export type FleetRunSummary = z.infer<typeof FleetRunSummary>

/** Answer to `GET /api/fleet-runs/:run`. */
export const FleetRunDetails = FleetRunSummary.extend({
  /** What is done; null for another principal than the run's, which alone goes on with it. */
  plan: z.record(z.string(), z.unknown()).nullable(),
})
export type FleetRunDetails = z.infer<typeof FleetRunDetails>

/** Answer to claiming: what the script goes on with. */
export const FleetRunClaimed = z.object({
  epoch: z.number().int(),
  run: FleetRunSummary,
  plan: z.record(z.string(), z.unknown()),
})
export type FleetRunClaimed = z.infer<typeof FleetRunClaimed>

/** Answer to creating. */
export const FleetRunCreated = FleetRunClaimed.extend({
  /** It was there: its script may have been killed, or the answer lost. It is claimed, as any run that somebody goes on with. */
  existed: z.boolean(),
})
export type FleetRunCreated = z.infer<typeof FleetRunCreated>

export const FleetRunListQuery = z.object({
  state: FleetRunState.optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  cursor: z.string().max(1024).optional(),
})
export type FleetRunListQuery = z.infer<typeof FleetRunListQuery>

/** Newest first. */
export const FleetRunList = z.object({
  items: z.array(FleetRunSummary),
  next_cursor: z.string().nullable(),
  has_more: z.boolean(),
})
export type FleetRunList = z.infer<typeof FleetRunList>

/** One machine of a fleet run. */
export const FleetRunTarget = z.object({
  machineId: z.string(),
  /** As it was called when the run began. */
  name: z.string(),
  wave: z.number().int(),
  /** In which its outcome was written, or will be. */
  generation: z.number().int(),
  /** Null: it is not done. */
  outcome: OutcomeName.nullable(),
  row: z.record(z.string(), z.unknown()).nullable(),
})
export type FleetRunTarget = z.infer<typeof FleetRunTarget>

export const FleetRunTargetsQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(500),
  cursor: z.coerce.number().int().min(0).default(0),
})
export type FleetRunTargetsQuery = z.input<typeof FleetRunTargetsQuery>

/** In order. */
export const FleetRunTargetList = z.object({
  items: z.array(FleetRunTarget),
  next_cursor: z.number().int().nullable(),
  has_more: z.boolean(),
})
export type FleetRunTargetList = z.infer<typeof FleetRunTargetList>
