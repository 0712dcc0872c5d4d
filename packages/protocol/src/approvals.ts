import { z } from 'zod'
import { BoundFile, Requirement } from './messages/approval.ts'
import { CallId } from './messages/call-id.ts'
import { EffectList, EffectState } from './methods/effects.ts'
import { PlainRestrictions } from './methods/restrictions.ts'
import { Sha256 } from './methods/sha256.ts'
import { RunId } from './runs.ts'

const instant = z.iso.datetime()

/** Seconds until a question that nobody answers is denied, unless chosen. */
export const DEFAULT_APPROVAL_SECONDS = 3600

/** Seconds a question, and a grant, may last at most. */
export const MAX_APPROVAL_SECONDS = 7 * 86_400
export const MAX_GRANT_SECONDS = 30 * 86_400

/** Machines of one approval at most. */
export const MAX_APPROVAL_ACTIONS = 1000

/** Actions, and groups of equal ones, of an approval that are shown at once, and names of machines of each group. */
export const MAX_SHOWN_ACTIONS = 100
export const MAX_SHOWN_NAMES = 500

/**
 * How an approval stands. `pending` waits for people; `approved` may be used; `executing`: the first machine has begun;
 * `done`: every machine has used it. `denied`, `expired` (nobody decided, or used it, in time) and `void` (withdrawn, or its run
 * is over) never run.
 */
export const ApprovalState = z.enum(['pending', 'approved', 'executing', 'done', 'denied', 'expired', 'void'])
export type ApprovalState = z.infer<typeof ApprovalState>

/** How bad it can be. */
export const Danger = z.enum(['low', 'medium', 'high', 'critical'])
export type Danger = z.infer<typeof Danger>

/** What an effect changes, for people to look at. */
export const ShownEffect = z.object({
  effectId: z.string(),
  state: EffectState,
  hash: Sha256.nullable(),
  list: EffectList.nullable(),
})
export type ShownEffect = z.infer<typeof ShownEffect>

/** What would run on one machine, as the approver sees it. */
export const ApprovalAction = z.object({
  machine_id: z.string(),
  machine_name: z.string(),
  /** One of the methods, or `tool`. */
  method: z.string(),
  /** The command as a person reads it, or the method with its parameters. */
  text: z.string(),
  /** Of `exec`, exactly. */
  command: z.union([z.string(), z.array(z.string())]).nullable(),
  /** Of any other method. */
  params: z.record(z.string(), z.unknown()).nullable(),
  cwd: z.string().nullable(),
  /** Names only. */
  environment: z.array(z.string()),
  files: z.array(BoundFile),
  restrictions: PlainRestrictions,
  /** Of `effect.apply`: what it changes, with diffs. Null where it could not be read. */
  effect: ShownEffect.nullable(),
  action_digest: Sha256,
  state: z.enum(['waiting', 'executing', 'done', 'failed']),
  /** Parameters that the approver changed: the call has to send these in place of its own. */
  edited: z.record(z.string(), z.unknown()).nullable(),
})
export type ApprovalAction = z.infer<typeof ApprovalAction>

/** A person's vote. */
export const ApprovalVote = z.object({
  person_id: z.string(),
  person_name: z.string(),
  vote: z.enum(['approve', 'deny']),
  reason: z.string(),
  at: instant,
})
export type ApprovalVote = z.infer<typeof ApprovalVote>

/** Machines on which the same would run, word for word, with the same files, variables, restrictions and effect. */
export const ApprovalGroup = z.object({
  /** The machine whose action stands for all of them. */
  machine_id: z.string(),
  /** How many they are. */
  count: z.number().int(),
  /** Names in order, {@link MAX_SHOWN_NAMES} at most. */
  machine_names: z.array(z.string()),
})
export type ApprovalGroup = z.infer<typeof ApprovalGroup>

/** A question to people, bound to exactly what would run. */
export const ApprovalInfo = z.object({
  id: z.string(),
  fleet_id: z.string(),
  state: ApprovalState,
  title: z.string(),
  /** Why it is asked for, as the requester says. */
  reason: z.string(),
  danger: Danger,
  danger_reason: z.string(),
  /** The rule of the policy that asks, or `caller`. */
  rule: z.string(),
  requester_id: z.string(),
  requester_name: z.string(),
  requester_kind: z.string(),
  /** The person behind a requester that is none. */
  on_behalf_of: z.string().nullable(),
  run_id: z.string().nullable(),
  /** The fleet run that it is part of. */
  fleet_run_id: z.string().nullable(),
  agent_type: z.string().nullable(),
  /** `anthropic:<name>`, of an AI operator. */
  model: z.string().nullable(),
  plan_digest: Sha256,
  requirement: Requirement,
  /** Whether the person behind the request does not count. */
  four_eyes: z.boolean(),
  votes: z.array(ApprovalVote),
  /** What the approver changed, and from what; null when nothing. */
  edited: z.object({ by: z.string(), from: z.string() }).nullable(),
  /** Whether what was denied must not be asked for again. */
  do_not_retry: z.boolean(),
  created_at: instant,
  expires_at: instant,
  decided_at: instant.nullable(),
  /** Machines on which something would run. */
  action_count: z.number().int(),
  /** In order; of more than {@link MAX_SHOWN_ACTIONS} those alone that stand for a group. */
  actions: z.array(ApprovalAction),
  /** What is the same on several machines, the largest group first; at most {@link MAX_SHOWN_ACTIONS}. */
  groups: z.array(ApprovalGroup),
  /** Groups in all. */
  group_count: z.number().int(),
})
export type ApprovalInfo = z.infer<typeof ApprovalInfo>

/** An approval in a list: everything but its actions. */
export const ApprovalSummary = ApprovalInfo.omit({ actions: true, groups: true, group_count: true })
export type ApprovalSummary = z.infer<typeof ApprovalSummary>

/** Body of `POST /api/approvals`: asks people about a plan before anything of it is called. */
export const ApprovalRequest = z.strictObject({
  title: z.string().min(1).max(256),
  reason: z.string().max(4096).default(''),
  actions: z
    .array(
      z.strictObject({
        machine_id: z.string().min(1).max(64),
        /** Of a method of machines, or `tool`. */
        method: z.string().min(1).max(64),
        params: z.record(z.string(), z.unknown()),
      }),
    )
    .min(1)
    .max(MAX_APPROVAL_ACTIONS),
  /** Of the one call that it is about. */
  call_id: CallId.optional(),
  requirement: Requirement.optional(),
  run_id: RunId.optional(),
  agent_type: z.string().max(64).optional(),
  model: z.string().max(256).optional(),
  expires_in_seconds: z.number().int().min(1).max(MAX_APPROVAL_SECONDS).default(DEFAULT_APPROVAL_SECONDS),
})
export type ApprovalRequest = z.input<typeof ApprovalRequest>

/** One page of what would run on each machine, in order. */
export const ApprovalActionList = z.object({ items: z.array(ApprovalAction), next_cursor: z.number().int().nullable() })
export type ApprovalActionList = z.infer<typeof ApprovalActionList>

export const ApprovalActionsQuery = z.object({
  cursor: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(MAX_SHOWN_ACTIONS).default(MAX_SHOWN_ACTIONS),
})

export const ApprovalListQuery = z.object({
  state: ApprovalState.optional(),
  run_id: RunId.optional(),
  machine_id: z.string().max(64).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(1024).optional(),
})
export type ApprovalListQuery = z.infer<typeof ApprovalListQuery>

export const ApprovalList = z.object({ items: z.array(ApprovalSummary), next_cursor: z.string().nullable() })
export type ApprovalList = z.infer<typeof ApprovalList>

/** Body of `POST /api/approvals/:approval/approve`. */
export const ApprovalApprove = z.strictObject({
  /** Of the plan that was looked at; another one is `conflict`. */
  plan_digest: Sha256,
  reason: z.string().max(4096).default(''),
  /** Other parameters for the one action: what runs instead. Votes for the former are void. */
  edited: z.record(z.string(), z.unknown()).optional(),
  /** Let the requester do exactly this again for so long, without asking. Never where something is deleted. */
  grant_seconds: z.number().int().min(1).max(MAX_GRANT_SECONDS).optional(),
})
export type ApprovalApprove = z.input<typeof ApprovalApprove>

/** Body of `POST /api/approvals/:approval/deny`. */
export const ApprovalDeny = z.strictObject({
  /** Given to the requester, and to its model. */
  reason: z.string().max(4096).default(''),
  do_not_retry: z.boolean().default(true),
})
export type ApprovalDeny = z.input<typeof ApprovalDeny>

/** Query of `GET /api/approvals/:approval`: answer once it is no longer pending, or after so long. */
export const ApprovalWaitQuery = z.object({ wait_seconds: z.coerce.number().int().min(0).max(30).default(0) })

/** What a person let somebody do again without asking. */
export const GrantInfo = z.object({
  id: z.string(),
  approval_id: z.string(),
  machine_id: z.string(),
  action_digest: Sha256,
  text: z.string(),
  /** The principal that may use it. */
  granted_to: z.string(),
  granted_by: z.string(),
  created_at: instant,
  expires_at: instant,
  revoked_at: instant.nullable(),
  uses: z.number().int(),
})
export type GrantInfo = z.infer<typeof GrantInfo>

export const GrantList = z.object({ items: z.array(GrantInfo) })

/** Details of the error `approval_required`. */
export const ApprovalRequired = z.object({ approvalId: z.string(), expiresAt: instant, summary: z.string() })
export type ApprovalRequired = z.infer<typeof ApprovalRequired>

/** Data of an event of `GET /api/approvals/events`: an approval got into a state. */
export const ApprovalEvent = z.object({
  state: ApprovalState,
  at: instant,
  /** As it is when this is sent: it may be in a later state already. */
  approval: ApprovalSummary,
})
export type ApprovalEvent = z.infer<typeof ApprovalEvent>
