import type { MachineSummary, OutcomeName } from '@cmdop/protocol'
import type { FleetClient } from './fleet-client.ts'
import {
  beginExec,
  type FleetCommand,
  type FleetExecOptions,
  type FleetResumeOptions,
  resumeExec,
} from './jobs/exec-run.ts'
import type { CommandResult } from './jobs/exec-job.ts'
import type { FleetExecution } from './run/fleet-execution.ts'
import { findTargets, type Targets } from './targets/find-targets.ts'

/** A set of machines of one fleet, to work on at once. */
export interface Fleet {
  /** The machines that are meant now, in order of their names. Throws as `exec` does. */
  preview(options?: { allowEmpty?: boolean; signal?: AbortSignal }): Promise<MachineSummary[]>
  /**
   * Runs a command on each machine, a string under `/bin/sh -c`. Throws `validation`, `not_found` when no machine is meant, and what
   * the relay says; what goes wrong on a machine is in its row.
   */
  exec(command: FleetCommand, options?: FleetExecOptions): FleetExecution<CommandResult>
  /**
   * Goes on with a run whose script is gone, or that stopped, with the machines that are not done. What ran, or may have, is not run
   * again. Throws `not_found`, `permission` for somebody else's, `validation` unless what no ledger keeps is given again.
   */
  resume(runId: string, options?: FleetResumeOptions): FleetExecution<CommandResult>
  /** Does it again on the machines with these outcomes, and on no other. Throws as `resume`. */
  retry(
    runId: string,
    options: FleetResumeOptions & { readonly outcomes: readonly OutcomeName[] },
  ): FleetExecution<CommandResult>
}

/** The machines of a client's fleet that are meant: a selector such as `role=web,env!=dev`, names, or several of these. */
export function createFleet(client: FleetClient, targets: Targets): Fleet {
  const find = (options: { allowEmpty?: boolean | undefined; signal?: AbortSignal | undefined }) =>
    findTargets(targets, { ...options, machines: client.machines })
  return {
    preview: (options = {}) => find(options),
    exec: (command, options = {}) =>
      beginExec(client, command, { ...options, find: (signal) => find({ allowEmpty: options.allowEmpty, signal }) }),
    resume: (runId, options = {}) => resumeExec(client, runId, { ...options, retry: undefined }),
    retry: (runId, { outcomes, ...options }) => resumeExec(client, runId, { ...options, retry: outcomes }),
  }
}
