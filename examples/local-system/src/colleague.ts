import { createInterface } from 'node:readline/promises'
import { type ApprovalInfo, type Client, isCmdopError } from 'cmdop'
import type { Say } from './story.ts'

/** What a person says to a question: undefined approves it, a text denies it for that reason. */
export type Decide = (approval: ApprovalInfo) => string | undefined | Promise<string | undefined>

/** Somebody who answers approvals until the scope ends. */
export interface Colleague extends AsyncDisposable {
  /** The commands that were approved, and for which machine. */
  readonly approved: readonly { readonly machine: string; readonly command: string }[]
  /** How many questions were answered. */
  readonly asked: number
}

/**
 * Answers every question as this client's person. What is approved is named by its digest: exactly what was looked at. Where
 * looking fails the answer is no, and disposing throws why.
 */
export function startColleague(
  client: Client,
  { say, ask = false, decide = ask ? askHere : () => undefined }: { say: Say; ask?: boolean; decide?: Decide },
): Colleague {
  const approved: { machine: string; command: string }[] = []
  const stop = new AbortController()
  let asked = 0
  let failure: unknown
  const answer = async (id: string): Promise<void> => {
    const approval = await client.approvals.get(id)
    asked += 1
    const commands = approval.actions.map(({ machineName: machine, text }) => ({ machine, command: text }))
    for (const { machine, command } of commands) say(`asked     may this run on ${machine}? ${command}`)
    const reason = await Promise.resolve(decide(approval)).catch((error: unknown) => {
      failure = error
      return 'Nobody could look at it.'
    })
    if (reason === undefined) {
      await client.approvals.approve(id, { planDigest: approval.planDigest })
      approved.push(...commands)
    } else await client.approvals.deny(id, { reason })
    say(reason === undefined ? 'approved  exactly this' : `denied    ${reason}`)
  }
  const answering = (async () => {
    for await (const { state, approval } of client.approvals.watch({ signal: stop.signal }))
      if (state === 'pending') await answer(approval.id)
  })().catch((error: unknown) => {
    if (!(isCmdopError(error) && error.code === 'cancelled')) failure = error
  })
  return {
    approved,
    get asked() {
      return asked
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await answering
      if (failure !== undefined) throw failure
    },
  }
}

async function askHere(): Promise<string | undefined> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const said = await terminal.question('approve? [y/N] ').finally(() => terminal.close())
  return said === 'y' ? undefined : 'The person at the terminal said no.'
}
