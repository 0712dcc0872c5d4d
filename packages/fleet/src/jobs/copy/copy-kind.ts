import { basename, isAbsolute, resolve } from 'node:path'
import { digestLocal, type ExecOptions } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'
import type { FleetClient } from '../../fleet-client.ts'
import { readPlan, type RunPlan } from '../../ledger/run-plan.ts'
import type { FleetExecution } from '../../run/fleet-execution.ts'
import type { FleetOptions } from '../../run/fleet-options.ts'
import type { FleetMachine } from '../../run/fleet-row.ts'
import { beginRun } from '../begin-run.ts'
import type { FleetKind } from '../kind.ts'
import { copyJob, type CopyResult } from './copy-job.ts'
import { CopyPlan, remotePathOf } from './copy-plan.ts'
import { localSource } from './local-source.ts'

/** An absolute path on every machine, or one made for each. */
export type FleetPath = string | ((machine: FleetMachine) => string)

/** Files to machines, or from them. */
export interface FleetCopyOptions extends FleetOptions<CopyResult>, CopyGiven {
  /** A directory with all that is in it. */
  readonly recursive?: boolean
  /** Times, and every bit of the mode. */
  readonly preserve?: boolean
  /** False: a file that is there with another content is `conflict`. Default true. */
  readonly overwrite?: boolean
  /** Makes the directories above the destination. */
  readonly createParents?: boolean
  /** What it is for, for people. Default: what is copied where. */
  readonly title?: string
}

/** What no ledger keeps of a copy. */
export interface CopyGiven {
  /** What is done where the policy wants a person to approve something of it on one machine. */
  readonly callApproval?: ExecOptions['approval'] | undefined
}

export const copyKind: FleetKind<CopyResult, CopyGiven> = {
  name: 'copy',
  open: async (written, { callApproval: approval }) => {
    const plan = readPlan(CopyPlan, written)
    const { content, local, recursive } = plan
    const source = content === null ? undefined : localSource(local, { recursive, ...content })
    // Not sent to any machine if it is another one by now.
    await source?.assertSame(new AbortController().signal)
    return {
      plan,
      job: (site) => copyJob({ ...site, plan, source, approval }),
      // What the script does in many calls, which no machine knows as one.
      callOf: (machine) => ({ method: 'tool', params: shownOf(plan, machine) }),
    }
  },
}

interface Copied {
  readonly direction: CopyPlan['direction']
  /** On this computer. */
  readonly local: string
  /** On the machines. */
  readonly remote: FleetPath
}

/** A copy that is begun. */
export function beginCopy(
  client: FleetClient,
  { direction, local, remote }: Copied,
  { find, ...options }: FleetCopyOptions & { readonly find: (signal: AbortSignal) => Promise<readonly FleetMachine[]> },
): FleetExecution<CopyResult> {
  const { recursive = false, preserve = false, overwrite = true, createParents = false } = options
  const planFor = async (
    machines: readonly FleetMachine[],
    signal: AbortSignal,
  ): Promise<Omit<CopyPlan, keyof RunPlan>> => ({
    direction,
    local: resolve(local),
    remote:
      typeof remote === 'function'
        ? { each: Object.fromEntries(machines.map((machine) => [machine.id, absolute(remote(machine))])) }
        : { all: absolute(remote) },
    recursive,
    preserve,
    overwrite,
    createParents,
    content: direction === 'to' ? await contentOf(local, { recursive, signal }) : null,
  })
  const there = typeof remote === 'function' ? 'a path of each machine' : remote
  const what = direction === 'to' ? `${basename(resolve(local))} to ${there}` : `${there} to ${local}`
  return beginRun(client, { kind: copyKind, title: options.title ?? `Copy ${what}`, find, planFor }, options)
}

/** A copy as people see it. */
function shownOf(plan: CopyPlan, machine: FleetMachine): Record<string, unknown> {
  const { direction, local, recursive, preserve, overwrite, createParents, content } = plan
  const path = remotePathOf(plan, machine)
  return { copy: direction, path, local, recursive, preserve, overwrite, createParents, content }
}

async function contentOf(path: string, options: { recursive: boolean; signal: AbortSignal }) {
  const { sha256, bytes, files } = await digestLocal(path, options)
  return { sha256, bytes, files }
}

function absolute(path: string): string {
  if (isAbsolute(path) || path.startsWith('/')) return path
  throw new CmdopError('validation', `Expected an absolute path on the machines, such as /srv/www, got "${path}".`)
}
