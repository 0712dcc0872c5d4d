import { type EffectRefusal, type ExecEnd, KILL_GRACE_MS } from '@cmdop/protocol'
import type { Sandbox, SandboxProcess, SandboxRequest } from '@cmdop/sandbox'
import { type GroupEnd, killMarked, type ProcessGroup, signalMarked } from '../exec/process-group.ts'
import { cancelledRefusal, tooLargeRefusal } from './effects/refusal.ts'
import type { OwnTransaction } from './own-transaction.ts'

/** What to start, and the marker in the environment of everything it starts. */
export interface MarkedRequest {
  readonly request: SandboxRequest
  readonly marker: string
}

/** Runs a command in a sandbox of its own; both end together. */
export async function runAlone(transaction: OwnTransaction, { request, marker }: MarkedRequest): Promise<ProcessGroup> {
  const { sandbox, hasView } = transaction
  const process = await sandbox.spawn({ ...request, freezeAtEnd: hasView }).catch(async (error: unknown) => {
    await transaction.discard()
    throw error
  })
  const ended = process.exit.then(async (how) => {
    // What it left in the background might have held its output open, and changed files: with its end that was ended too.
    if (hasView) await transaction.freeze()
    return how
  })
  return {
    process: { ...process, exit: ended },
    end: () => endGently(process, marker, () => transaction.freeze()),
    settle: (reason) => transaction.settle(refusalOf(reason, sandbox)),
  }
}

/** Runs a command in a sandbox that goes on. What it leaves in the background stays, as it does on the machine. */
export async function runAmong(sandbox: Sandbox, { request, marker }: MarkedRequest): Promise<ProcessGroup> {
  const process = await sandbox.spawn(request)
  const killAll = () => {
    process.kill('SIGKILL')
    return killMarked(marker)
  }
  return { process, end: () => endGently(process, marker, killAll), settle: async () => undefined }
}

function endGently(process: SandboxProcess, marker: string, killAll: () => Promise<unknown>): GroupEnd {
  // A stopped process takes its SIGTERM only once it goes on.
  for (const signal of ['SIGTERM', 'SIGCONT'] as const) {
    process.kill(signal)
    void signalMarked(marker, signal)
  }
  const timer = setTimeout(() => void killAll(), KILL_GRACE_MS)
  return {
    finish: async () => {
      clearTimeout(timer)
      await killAll()
    },
  }
}

/** A command that did not get to its end has left what nobody wanted. */
function refusalOf(
  reason: ExecEnd['reason'],
  { restrictions, exceeded }: Pick<Sandbox, 'restrictions' | 'exceeded'>,
): EffectRefusal | undefined {
  // Of a dry run it is kept anyway, and nothing is refused.
  if (restrictions.dryRun === true) return undefined
  if (reason !== 'exited') return cancelledRefusal(reason)
  return exceeded === undefined ? undefined : tooLargeRefusal()
}
