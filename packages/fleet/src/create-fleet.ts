import type { MachineSummary } from '@cmdop/core'
import type { FleetClient } from './fleet-client.ts'
import type { CopyResult } from './jobs/copy/copy-job.ts'
import { beginCopy, type FleetCopyOptions, type FleetPath } from './jobs/copy/copy-kind.ts'
import type { CommandResult } from './jobs/exec/exec-job.ts'
import { beginExec, type FleetCommand, type FleetExecOptions } from './jobs/exec/exec-kind.ts'
import { goOnWithRun } from './jobs/go-on.ts'
import type { FleetResumeMethod, FleetResumeOptions, FleetRetryMethod, FleetRetryOptions } from './jobs/kinds.ts'
import {
  beginOperators,
  type FleetPrompt,
  type FleetRunMethod,
  type FleetRunOptions,
} from './jobs/operator/operator-kind.ts'
import type { FleetExecution } from './run/fleet-execution.ts'
import { findTargets } from './targets/find-targets.ts'
import type { Targets } from './targets/targets.ts'

/** Whether the daemon of a machine answered. */
export interface FleetPing {
  readonly machine: MachineSummary
  /** Milliseconds until it did, as the relay saw it; null: it did not in time. */
  readonly roundTripMs: number | null
}

/** A set of machines of one fleet, to work on at once. */
export interface Fleet {
  /** The machines that are meant now, in order of their names. Throws as `exec` does. */
  preview(options?: { allowEmpty?: boolean; signal?: AbortSignal }): Promise<MachineSummary[]>
  /**
   * Asks the daemon of each machine for a sign of life now, for `timeoutMs` at most (default 5000, at most 30,000). Nothing is done
   * there. Throws as `exec` does.
   */
  ping(options?: { allowEmpty?: boolean; timeoutMs?: number; signal?: AbortSignal }): Promise<FleetPing[]>
  /**
   * Runs a command on each machine, a string under `/bin/sh -c`. Throws `validation`, `not_found` when no machine is meant, and what
   * the relay says; what goes wrong on a machine is in its row.
   */
  exec(command: FleetCommand, options?: FleetExecOptions): FleetExecution<CommandResult>
  /**
   * Has an AI operator work on each machine, whose answer fits the schema. The operators are those of `client.agent`. Throws as `exec`
   * does, and for a model, a schema or an option of the operators that is wrong.
   */
  run: FleetRunMethod
  /**
   * Copies a file, or with `recursive` a directory, from this computer to this path on each machine. What is copied is bound: once it
   * is another content, no machine gets it (`conflict`). Throws as `exec` does, and what reading it throws.
   */
  copy(localPath: string, path: FleetPath, options?: FleetCopyOptions): FleetExecution<CopyResult>
  /** Copies from this path on each machine into a folder of this computer: to `<folder>/<name of the machine>`. */
  collect(path: FleetPath, localFolder: string, options?: FleetCopyOptions): FleetExecution<CopyResult>
  /**
   * Goes on with a run whose script is gone, or that stopped, with the machines that are not done. What ran, or may have, is not run
   * again. Throws `not_found`, `permission` for somebody else's, `validation` unless what no ledger keeps is given again.
   */
  resume: FleetResumeMethod
  /** Does it again on the machines with these outcomes, and on no other. Throws as `resume`. */
  retry: FleetRetryMethod
}

/** The machines of a client's fleet that are meant: a selector such as `role=web,env!=dev`, names, or several of these. */
export function createFleet(client: FleetClient, targets: Targets): Fleet {
  const find = (options: { allowEmpty?: boolean | undefined; signal?: AbortSignal | undefined }) =>
    findTargets(targets, { ...options, client })
  const finding = <Options extends { readonly allowEmpty?: boolean }>(options: Options) => ({
    ...options,
    find: (signal: AbortSignal) => find({ allowEmpty: options.allowEmpty, signal }),
  })
  const run = (prompt: FleetPrompt, options: FleetRunOptions<unknown> = {}) =>
    beginOperators(client, prompt, finding(options))
  const resume = (runId: string, options: FleetResumeOptions = {}) =>
    goOnWithRun(client, runId, { ...options, retry: undefined })
  const retry = (runId: string, { outcomes, ...options }: FleetRetryOptions) =>
    goOnWithRun(client, runId, { ...options, retry: outcomes })
  return {
    preview: (options = {}) => find(options),
    ping: async ({ timeoutMs, ...options } = {}) => {
      const machines = await find(options)
      const { signal } = options
      const cancellable = {
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
        ...(signal === undefined ? {} : { signal }),
      }
      const ids = machines.map(({ id }) => id)
      const answers = ids.length === 0 ? undefined : await client.machines.ping(ids, cancellable)
      return machines.map((machine) => ({ machine, roundTripMs: answers?.get(machine.id) ?? null }))
    },
    exec: (command, options = {}) => beginExec(client, command, finding(options)),
    copy: (local, remote, options = {}) => beginCopy(client, { direction: 'to', local, remote }, finding(options)),
    collect: (remote, local, options = {}) => beginCopy(client, { direction: 'from', local, remote }, finding(options)),
    run: run as FleetRunMethod,
    resume: resume as FleetResumeMethod,
    retry: retry as FleetRetryMethod,
  }
}
