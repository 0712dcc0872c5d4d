import { createInterface } from 'node:readline/promises'
import { Client, type CallApproval, type ApprovalInfo, type ApprovalSummary } from '@cmdop/core'
import {
  ApprovalState,
  CmdopError,
  ApprovalSummary as ApprovalSummarySchema,
  ApprovalInfo as ApprovalInfoSchema,
  ApprovalAction,
  ApprovalEvent,
  GrantInfo,
} from '@cmdop/protocol'
import { renderAction, renderApproval } from '../approvals/render-approval.ts'
import { exitCodes } from '../exit-codes.ts'
import { parseCount, parseSpan } from '../numbers.ts'
import { wireNames, writeResource } from '../resource-json.ts'
import { formatTable, hasColours, printable, say, writeStderr, writeStdout } from '../terminal.ts'

/** Approvals that are listed unless it says how many. */
const LISTED = 50

interface ApprovalFlags {
  json?: boolean
  signal: AbortSignal
}

/** `cmdop approvals list`: what people are asked, the newest first. */
export async function listApprovalsCommand({
  json,
  signal,
  ...flags
}: ApprovalFlags & { state?: string; run?: string; limit?: string }): Promise<number> {
  const limit = flags.limit === undefined ? LISTED : parseCount('--limit', flags.limit)
  const state = parseState(flags.state)
  await using client = new Client()
  const query = {
    limit: Math.min(limit, 200),
    ...(state && { state }),
    ...(flags.run && { runId: flags.run }),
    signal,
  }
  const items: ApprovalSummary[] = []
  for await (const item of client.approvals.iter(query)) {
    items.push(item)
    if (items.length >= limit) break
  }
  if (json === true) await writeResource(ApprovalSummarySchema, { items })
  else await writeStdout(formatTable(['CREATED', 'STATE', 'DANGER', 'WHO', 'WHAT', 'ID'], items.map(row)))
  return exitCodes.ok
}

/** `cmdop approvals show <id>`: exactly what would run, where, for whom. */
export async function showApprovalCommand(id: string, { json, signal }: ApprovalFlags): Promise<number> {
  await using client = new Client()
  const info = await client.approvals.get(id, { signal })
  if (json === true) await writeResource(ApprovalInfoSchema, info)
  else await writeStdout(`${renderApproval(info, hasColours(process.stdout))}\n`)
  return exitCodes.ok
}

/** `cmdop approvals actions <id>` */
export async function approvalActionsCommand(id: string, { json, signal }: ApprovalFlags): Promise<number> {
  await using client = new Client()
  for await (const action of client.approvals.actions(id, { signal }))
    await writeStdout(
      json === true
        ? `${JSON.stringify(wireNames(ApprovalAction, action))}\n`
        : `${renderAction(action, hasColours(process.stdout))}\n`,
    )
  return exitCodes.ok
}

/** `cmdop approvals approve <id>`: what is shown, or what `--digest` names; with `--command`, another version of it. */
export async function approveCommand(
  id: string,
  {
    json,
    signal,
    digest,
    ...flags
  }: ApprovalFlags & { digest?: string; command?: string; reason?: string; grant?: string },
): Promise<number> {
  if (digest === undefined && (json === true || !process.stdin.isTTY))
    throw new CmdopError('config', 'Expected --digest with the plan digest; cmdop approvals show prints it.')
  await using client = new Client()
  const edited = flags.command === undefined ? undefined : { command: flags.command }
  const body = {
    planDigest: digest ?? (await agree(await client.approvals.get(id, { signal }), edited, signal)),
    ...(flags.reason === undefined ? {} : { reason: flags.reason }),
    ...(edited === undefined ? {} : { edited }),
    ...(flags.grant === undefined ? {} : { grantSeconds: Math.ceil(parseSpan(flags.grant) / 1000) }),
  }
  return await tell(await client.approvals.approve(id, body, { signal }), json)
}

/** `cmdop approvals deny <id>`. */
export async function denyCommand(
  id: string,
  { json, signal, reason, retry }: ApprovalFlags & { reason?: string; retry?: boolean },
): Promise<number> {
  await using client = new Client()
  const body = { ...(reason === undefined ? {} : { reason }), doNotRetry: retry !== true }
  return await tell(await client.approvals.deny(id, body, { signal }), json)
}

/** `cmdop approvals watch`: a line for each question as it comes, and for its end. */
export async function watchApprovalsCommand({ json, signal }: ApprovalFlags): Promise<number> {
  await using client = new Client()
  if (json !== true) await say('cmdop: watching; ^C ends')
  for await (const event of client.approvals.watch({ signal })) {
    const { approval, state, at } = event
    const line = row({ ...approval, state, createdAt: at })
      .map(printable)
      .join('  ')
    await writeStdout(json === true ? `${JSON.stringify(wireNames(ApprovalEvent, event))}\n` : `${line}\n`)
  }
  return exitCodes.ok
}

/** `cmdop grants list`: what may be done again without asking. */
export async function listGrantsCommand({ json, signal }: ApprovalFlags): Promise<number> {
  await using client = new Client()
  const items = await client.approvals.grants.list({ signal })
  if (json === true) await writeResource(GrantInfo, { items })
  else
    await writeStdout(
      formatTable(
        ['UNTIL', 'MACHINE', 'WHAT', 'USES', 'ID'],
        items.map((grant) => [
          grant.revokedAt === null ? grant.expiresAt : 'revoked',
          grant.machineId,
          oneLine(grant.text),
          String(grant.uses),
          grant.id,
        ]),
      ),
    )
  return exitCodes.ok
}

/** `cmdop grants revoke <id>`. */
export async function revokeGrantCommand(id: string, { json, signal }: ApprovalFlags): Promise<number> {
  await using client = new Client()
  const grant = await client.approvals.grants.revoke(id, { signal })
  if (json === true) await writeResource(GrantInfo, grant)
  else await say(`revoked: ${oneLine(grant.text)} is asked about again`)
  return exitCodes.ok
}

/** Says on stderr that somebody has to decide, and what became of it. */
export async function tellApproval({ approvalId, state, summary, expiresAt, by, edited }: CallApproval): Promise<void> {
  if (state === 'pending')
    return say(
      `cmdop: waiting for approval of: ${oneLine(summary)}; decide with: cmdop approvals show ${approvalId} (until ${expiresAt})`,
    )
  const who = by.length === 0 ? '' : ` by ${by.join(', ')}`
  const what = edited === null ? '' : `, changed to ${JSON.stringify(edited)}`
  await say(`cmdop: ${state === 'executing' || state === 'done' ? 'approved' : state}${who}${what}`)
}

async function agree(
  info: ApprovalInfo,
  edited: { command: string } | undefined,
  signal: AbortSignal,
): Promise<string> {
  await writeStderr(`${renderApproval(info, hasColours(process.stderr))}\n`)
  const what = edited === undefined ? 'Approve exactly this?' : `Approve this instead: ${edited.command} ?`
  using question = createInterface({ input: process.stdin, output: process.stderr })
  // ^C is a key here, which closes the question and leaves it without an answer.
  const stop = new AbortController()
  question.once('close', () => stop.abort())
  const answer = await question
    .question(`${what} [y/N] `, { signal: AbortSignal.any([signal, stop.signal]) })
    .catch(() => '')
  if (/^y(es)?$/i.test(answer.trim())) return info.planDigest
  throw new CmdopError('cancelled', 'You decided nothing; the question is still open.')
}

async function tell(info: ApprovalInfo, json: boolean | undefined): Promise<number> {
  if (json === true) await writeResource(ApprovalInfoSchema, info)
  else if (info.state === 'pending')
    await say(
      `your vote is counted; it still needs ${info.requirement.map(({ from, n }) => `${n} of ${from}`).join(' and ')}`,
    )
  else await say(`${info.state}: ${oneLine(info.title)}`)
  return exitCodes.ok
}

function row({ createdAt, state, danger, requesterName, title, id }: ApprovalSummary): string[] {
  return [createdAt, state, danger, requesterName, oneLine(title), id]
}

function oneLine(text: string): string {
  return text.replaceAll('\n', ' ').slice(0, 80)
}

function parseState(text: string | undefined): ApprovalState | undefined {
  if (text === undefined) return undefined
  const state = ApprovalState.safeParse(text)
  if (state.success) return state.data
  throw new CmdopError('config', `Expected --state to be one of ${ApprovalState.options.join(', ')}, got "${text}".`)
}
