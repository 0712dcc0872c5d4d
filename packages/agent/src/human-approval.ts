import type { Machine } from '@cmdop/core'
import { CmdopError, type Requirement } from '@cmdop/protocol'
import type { RunResult } from './run/run-result.ts'

/** How people are asked about what a run came to. */
export interface HumanApprovalOptions {
  /** What it is about, in a line. Default: that it is the output of a run. */
  readonly title?: string | undefined
  /** Why, for who decides. */
  readonly reason?: string | undefined
  /** Who has to approve. Default: one member. */
  readonly requirement?: Requirement | undefined
  /** Seconds until it is denied. Default 3,600. */
  readonly expiresInSeconds?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** What people said. */
export interface HumanApproval<Output = unknown> {
  readonly approved: boolean
  readonly approvalId: string
  /** Names of who voted. */
  readonly by: readonly string[]
  /** Why it was rejected; empty where nobody said. */
  readonly reason: string
  /** What was approved: the output, in the version of who approved it. */
  readonly output: Output
}

/**
 * Asks people whether what a run came to may be acted upon, and waits for them; nobody in time is a no. What is done afterwards is
 * decided call by call, as ever. Throws `unsupported` where there is no relay to ask through.
 */
export async function getHumanApproval<Output>(
  machine: Machine,
  { output, runId, agentType, model }: Pick<RunResult<Output>, 'output' | 'runId' | 'agentType' | 'model'>,
  { title, reason, requirement, expiresInSeconds, signal }: HumanApprovalOptions = {},
): Promise<HumanApproval<Output>> {
  const { approvals } = machine
  if (approvals === undefined)
    throw new CmdopError('unsupported', 'There is no relay here through which people could be asked.')
  const shown = JSON.parse(JSON.stringify(output ?? null)) as unknown
  const asked = await approvals.request(
    {
      title: title ?? `The output of a run on ${machine.name}`.slice(0, 256),
      actions: [{ machineId: machine.id, method: 'tool', params: { tool: 'plan', input: shown } }],
      runId,
      agentType,
      model: `${model.provider}:${model.id}`,
      ...(reason === undefined ? {} : { reason }),
      ...(requirement === undefined ? {} : { requirement }),
      ...(expiresInSeconds === undefined ? {} : { expires_in_seconds: expiresInSeconds }),
    },
    { signal },
  )
  const info = await approvals.decided(asked.id, { callId: asked.id, signal })
  const edited = info.actions[0]?.edited
  return {
    approved: info.state === 'approved',
    approvalId: info.id,
    by: info.votes.map(({ personName: name }) => name),
    reason: info.votes.find(({ vote }) => vote === 'deny')?.reason ?? '',
    output: edited === null || edited === undefined || !('input' in edited) ? output : (edited['input'] as Output),
  }
}
