import { digestLocal, type ExecOptions, type Machine, type RemoteMachine, type Session } from '@cmdop/core'
import { CmdopError, type EffectList } from '@cmdop/protocol'
import { type CommandResult, resultOf } from '../../jobs/exec/exec-job.ts'
import type { CopyResult } from '../../jobs/copy/copy-job.ts'
import type { CopyStep, ExecStep } from '../steps/step.ts'

const DRY_RUN = { dryRun: true } as const

/** Milliseconds after which a view ends by itself whose script is gone. */
const IDLE_MS = 600_000

/** Milliseconds that a command has unless its step says otherwise. */
const COMMAND_MS = 600_000

/** A view of one machine in which steps are done one after the other, and of which nothing reaches it. */
export interface DrySession extends AsyncDisposable {
  exec(command: string | readonly string[], options: ExecStep['options']): Promise<CommandResult>
  copy(step: Pick<CopyStep, 'from' | 'options'>, path: string): Promise<CopyResult>
  /** What everything together would change. */
  effect(): Promise<EffectList | null>
}

/** Throws `restriction_unenforceable` and what is said of a machine that is not there; nothing has run then. */
export async function openDrySession(machine: Machine, name: string, signal: AbortSignal): Promise<DrySession> {
  const held = machine.as?.({ under: DRY_RUN }) ?? machine
  if (held.sessions === undefined)
    throw new CmdopError('restriction_unenforceable', 'The machine has no sessions, in which a dry run would be held.')
  const opening = { kind: 'run', name: `dry run of ${name}`, restrictions: DRY_RUN, idleTimeoutMs: IDLE_MS } as const
  const session = await held.sessions.open({ ...opening, signal })
  return {
    exec: async (command, options) => {
      const { cwd, env, maxOutputBytes, timeoutMs = COMMAND_MS } = options
      const given = Object.entries({ cwd, env, maxOutputBytes }).filter(([, value]) => value !== undefined)
      const settings: ExecOptions = { ...Object.fromEntries(given), deadlineMs: timeoutMs, showIn: session.id, signal }
      return resultOf(await held.exec(command, settings))
    },
    copy: (step, path) => copyInto(session, step, { path, signal }),
    effect: async () => (await session.effects({ signal })).list,
    [Symbol.asyncDispose]: async () => {
      // What cannot be ended now ends by itself.
      await session.discard().catch(() => {})
      await session.close().catch(() => {})
    },
  }
}

async function copyInto(
  { files }: Session,
  { from, options }: Pick<CopyStep, 'from' | 'options'>,
  { path, signal }: { readonly path: string; readonly signal: AbortSignal },
): Promise<CopyResult> {
  if (!('upload' in files)) throw new CmdopError('unsupported', 'Files are copied by a client in Node.')
  const { recursive = false, preserve = false, overwrite = true, createParents = false } = options
  const { sha256 } = await digestLocal(from, { recursive, signal })
  const settings = { recursive, preserve, overwrite, createParents, signal }
  const sent = await (files as RemoteMachine['files']).upload(from, path, settings)
  const { bytes, unchangedBytes, files: count, directories, links, skipped } = sent
  return { path, localPath: from, sha256, bytes, unchangedBytes, files: count, directories, links, skipped }
}
