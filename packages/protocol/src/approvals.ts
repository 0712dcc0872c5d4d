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
  effectId: z.string().describe('Id of the effect, which is that of its session or command'),
  state: EffectState.describe('How the effect stands'),
  hash: Sha256.nullable().describe('SHA-256 over everything that would be applied, hex; null while it is open'),
  list: EffectList.nullable().describe('What it changes, with diffs; null where it is not kept any more'),
})
export type ShownEffect = z.infer<typeof ShownEffect>

/** What would run on one machine, as the approver sees it. */
export const ApprovalAction = z.object({
  machine_id: z.string().describe('Id of the machine'),
  machine_name: z.string().describe('What the machine is called'),
  method: z.string().describe('The method that is called, or `tool`'),
  text: z.string().describe('The command as a person reads it, or the method with its parameters'),
  command: z
    .union([z.string(), z.array(z.string())])
    .nullable()
    .describe('Of `exec`: the argv or script, exactly; of any other method null'),
  params: z.record(z.string(), z.unknown()).nullable().describe('Of any other method than `exec`: its parameters'),
  cwd: z.string().nullable().describe('Directory that a command runs in; null: it is no command'),
  environment: z.array(z.string()).describe('Names of the variables that are set; no values'),
  files: z.array(BoundFile).describe('Files that the action names, as they were then'),
  restrictions: PlainRestrictions.describe('What it may not do; the kernel of the machine holds it'),
  effect: ShownEffect.nullable().describe(
    'Of `effect.apply`: what it changes, with diffs. Null where it could not be read.',
  ),
  action_digest: Sha256.describe('SHA-256 of the canonical action, hex: what the approval is bound to'),
  state: z.enum(['waiting', 'executing', 'done', 'failed']).describe('How it stands on this machine'),
  edited: z
    .record(z.string(), z.unknown())
    .nullable()
    .describe('Parameters that the approver changed: the call has to send these in place of its own'),
})
export type ApprovalAction = z.infer<typeof ApprovalAction>

/** A person's vote. */
export const ApprovalVote = z.object({
  person_id: z.string().describe('Id of the person'),
  person_name: z.string().describe('Name of the person'),
  vote: z.enum(['approve', 'deny']).describe('How the person decided'),
  reason: z.string().describe('Why, for people'),
  at: instant.describe('When the person decided'),
})
export type ApprovalVote = z.infer<typeof ApprovalVote>

/** Machines on which the same would run, word for word, with the same files, variables, restrictions and effect. */
export const ApprovalGroup = z.object({
  machine_id: z.string().describe('Id of the machine whose action stands for all of them'),
  count: z.number().int().describe('How many machines they are'),
  machine_names: z.array(z.string()).describe(`Names of the machines in order, ${MAX_SHOWN_NAMES} at most`),
})
export type ApprovalGroup = z.infer<typeof ApprovalGroup>

/** A question to people, bound to exactly what would run. */
export const ApprovalInfo = z.object({
  id: z.string().describe('Id of the approval'),
  fleet_id: z.string().describe('Id of the fleet that it is of'),
  state: ApprovalState.describe(
    'How it stands: `pending` waits for people, `approved` may be used, `void` was withdrawn',
  ),
  title: z.string().describe('What is asked, in a line'),
  reason: z.string().describe('Why it is asked for, as the requester says'),
  danger: Danger.describe('How bad it can be'),
  danger_reason: z.string().describe('Why it is as dangerous as that, in a sentence'),
  rule: z.string().describe('The rule of the policy that asks, or `caller`'),
  requester_id: z.string().describe('Id of the principal that asks'),
  requester_name: z.string().describe('What people call that principal'),
  requester_kind: z.string().describe('What it is: `human`, `ai`, `service`, `schedule`'),
  on_behalf_of: z
    .string()
    .nullable()
    .describe('Id of the person behind a requester that is none; null: the requester itself'),
  run_id: z.string().nullable().describe("Id of the operator's run that it is part of; null: of none"),
  fleet_run_id: z.string().nullable().describe('Id of the fleet run that it is part of; null: of none'),
  agent_type: z.string().nullable().describe('Type of the operator that asks; null: it is none'),
  model: z.string().nullable().describe('Model of an AI operator: `anthropic:<name>`'),
  plan_digest: Sha256.describe('SHA-256 of the action digests in order, hex'),
  requirement: Requirement.describe('Who has to approve; all of these together'),
  four_eyes: z.boolean().describe('Whether the person behind the request does not count'),
  votes: z.array(ApprovalVote).describe('How people have decided so far'),
  edited: z
    .object({
      by: z.string().describe('Id of the person who changed it'),
      from: z.string().describe('Digest of the plan as it was before, hex'),
    })
    .nullable()
    .describe('What the approver changed, and from what; null when nothing'),
  do_not_retry: z.boolean().describe('Whether what was denied must not be asked for again'),
  created_at: instant.describe('When it was made'),
  expires_at: instant.describe('When it is denied if nobody decides, or may not be used any more'),
  decided_at: instant.nullable().describe('When it was decided; null while it is not'),
  action_count: z.number().int().describe('Machines on which something would run'),
  actions: z
    .array(ApprovalAction)
    .describe(`What would run, in order; of more than ${MAX_SHOWN_ACTIONS} actions those alone that stand for a group`),
  groups: z
    .array(ApprovalGroup)
    .describe(`What is the same on several machines, the largest group first, ${MAX_SHOWN_ACTIONS} at most`),
  group_count: z.number().int().describe('How many groups there are in all'),
})
export type ApprovalInfo = z.infer<typeof ApprovalInfo>

/** An approval in a list: everything but its actions. */
export const ApprovalSummary = ApprovalInfo.omit({ actions: true, groups: true, group_count: true })
export type ApprovalSummary = z.infer<typeof ApprovalSummary>

/** Body of `POST /api/approvals`: asks people about a plan before anything of it is called. */
export const ApprovalRequest = z.strictObject({
  title: z.string().min(1).max(256).describe('What is asked, in a line'),
  reason: z.string().max(4096).default('').describe('Why, for people'),
  actions: z
    .array(
      z.strictObject({
        machine_id: z.string().min(1).max(64).describe('Id of the machine'),
        method: z.string().min(1).max(64).describe('The method of machines that would be called, or `tool`'),
        params: z.record(z.string(), z.unknown()).describe('Parameters of the method, exactly as they will be sent'),
      }),
    )
    .min(1)
    .max(MAX_APPROVAL_ACTIONS)
    .describe('What would run on each machine'),
  call_id: CallId.optional().describe('Id of the one call that it is about'),
  requirement: Requirement.optional().describe('Who has to approve; all of these together. Default: one member.'),
  run_id: RunId.optional().describe("Id of the operator's run that it is part of"),
  agent_type: z.string().max(64).optional().describe('Type of the operator, such as `command`'),
  model: z.string().max(256).optional().describe('Model of an AI operator: `anthropic:<name>`'),
  expires_in_seconds: z
    .number()
    .int()
    .min(1)
    .max(MAX_APPROVAL_SECONDS)
    .default(DEFAULT_APPROVAL_SECONDS)
    .describe('Seconds until it is denied when nobody decides'),
})
export type ApprovalRequest = z.input<typeof ApprovalRequest>

/** One page of what would run on each machine, in order. */
export const ApprovalActionList = z.object({
  items: z.array(ApprovalAction).describe('What would run on each machine, in order'),
  next_cursor: z.number().int().nullable().describe('Cursor of the next page; null where this is the last one'),
})
export type ApprovalActionList = z.infer<typeof ApprovalActionList>

export const ApprovalActionsQuery = z.object({
  cursor: z.coerce.number().int().min(0).default(0).describe('The `next_cursor` of the page before; 0: the first page'),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(MAX_SHOWN_ACTIONS)
    .default(MAX_SHOWN_ACTIONS)
    .describe('Items in one page at most'),
})

export const ApprovalListQuery = z.object({
  state: ApprovalState.optional().describe('Only those that stand so'),
  run_id: RunId.optional().describe('Only those of this run'),
  machine_id: z.string().max(64).optional().describe('Only those with an action on this machine'),
  limit: z.coerce.number().int().min(1).max(200).default(50).describe('Items in one page at most'),
  cursor: z.string().max(1024).optional().describe('The `next_cursor` of the page before; absent: the first page'),
})
export type ApprovalListQuery = z.infer<typeof ApprovalListQuery>

export const ApprovalList = z.object({
  items: z.array(ApprovalSummary).describe('Approvals, the newest first'),
  next_cursor: z.string().nullable().describe('Cursor of the next page; null where this is the last one'),
})
export type ApprovalList = z.infer<typeof ApprovalList>

/** Body of `POST /api/approvals/:approval/approve`. */
export const ApprovalApprove = z.strictObject({
  plan_digest: Sha256.describe('Digest of the plan that was looked at, hex; another one is `conflict`'),
  reason: z.string().max(4096).default('').describe('Why, for people'),
  edited: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Other parameters for the one action: what runs instead. Votes for the former are void.'),
  grant_seconds: z
    .number()
    .int()
    .min(1)
    .max(MAX_GRANT_SECONDS)
    .optional()
    .describe(
      'Seconds for which the requester may do exactly this again without asking. Never where something is deleted.',
    ),
})
export type ApprovalApprove = z.input<typeof ApprovalApprove>

/** Body of `POST /api/approvals/:approval/deny`. */
export const ApprovalDeny = z.strictObject({
  reason: z.string().max(4096).default('').describe('Why, as the requester and its model are told'),
  do_not_retry: z.boolean().default(true).describe('Whether it must not be asked for again'),
})
export type ApprovalDeny = z.input<typeof ApprovalDeny>

/** Query of `GET /api/approvals/:approval`: answer once it is no longer pending, or after so long. */
export const ApprovalWaitQuery = z.object({
  wait_seconds: z.coerce
    .number()
    .int()
    .min(0)
    .max(30)
    .default(0)
    .describe('Seconds to wait at most for it to be no longer pending; 0: answer at once'),
})

/** What a person let somebody do again without asking. */
export const GrantInfo = z.object({
  id: z.string().describe('Id of the grant'),
  approval_id: z.string().describe('Id of the approval that it was given with'),
  machine_id: z.string().describe('Id of the machine'),
  action_digest: Sha256.describe('SHA-256 of the canonical action, hex: it covers exactly this one'),
  text: z.string().describe('The command as a person reads it, or the method with its parameters'),
  granted_to: z.string().describe('Id of the principal that may use it'),
  granted_by: z.string().describe('Id of the person who gave it'),
  created_at: instant.describe('When it was made'),
  expires_at: instant.describe('When it ends by itself'),
  revoked_at: instant.nullable().describe('When it was taken back; null: it was not'),
  uses: z.number().int().describe('How often it was used'),
})
export type GrantInfo = z.infer<typeof GrantInfo>

export const GrantList = z.object({ items: z.array(GrantInfo).describe('Grants, the newest first') })
export type GrantList = z.infer<typeof GrantList>

/** Details of the error `approval_required`. */
export const ApprovalRequired = z.object({
  approvalId: z.string().describe('Id of the approval that people decide about'),
  expiresAt: instant.describe('When it is denied if nobody decides'),
  summary: z.string().describe('What is asked, in a line'),
})
export type ApprovalRequired = z.infer<typeof ApprovalRequired>

/** Data of an event of `GET /api/approvals/events`: an approval got into a state. */
export const ApprovalEvent = z.object({
  state: ApprovalState.describe('The state that it got into'),
  at: instant.describe('When it got into that state'),
  approval: ApprovalSummary.describe('The approval as it is when this is sent: it may be in a later state already'),
})
export type ApprovalEvent = z.infer<typeof ApprovalEvent>
