import type { MachineSummary } from '@cmdop/core'
import type { CmdopError, ErrorCode, OutcomeName } from '@cmdop/protocol'

/** A machine as a run knows it. */
export type FleetMachine = Pick<MachineSummary, 'id' | 'name' | 'hostname' | 'labels'>

/** Why it did not succeed on a machine. */
export interface FleetRowError {
  readonly code: ErrorCode
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}

/** How a fleet run ended on one machine. */
export interface FleetRow<Result> {
  readonly machine: FleetMachine
  /** From 1. */
  readonly wave: number
  readonly outcome: OutcomeName
  /** What it gave; null where it gave nothing. A command that failed gave its output, too. */
  readonly result: Result | null
  /** Null where the outcome is `ok`, where a command ended with another exit code, and where it was not tried. */
  readonly error: FleetRowError | null
  /** How often it was tried. */
  readonly attempts: number
  /** By the clock of the script; null where it was not tried. */
  readonly startedAt: string | null
  /** Milliseconds from the first try to the end, as the script saw it; null where it was not tried. */
  readonly durationMs: number | null
}

/** What a row says of an error. */
export function rowError({ code, message, details }: CmdopError): FleetRowError {
  return { code, message, details }
}

/** The row of a machine that was not tried. */
export function skipped<Result>(machine: FleetMachine, wave: number): FleetRow<Result> {
  return {
    machine,
    wave,
    outcome: 'skipped',
    result: null,
    error: null,
    attempts: 0,
    startedAt: null,
    durationMs: null,
  }
}
