import { hash } from 'node:crypto'

/** Characters of a call id at most are 64; as many bits as nobody meets by chance. */
const CHARACTERS = 40

/** One step of a fleet run on one machine. */
export interface FleetCall {
  readonly runId: string
  readonly step: string
  readonly machineId: string
  /** How often it was asked for anew by `retry`. */
  readonly generation: number
  /** The number of the order in it; those before are in doubt. */
  readonly order: number
}

/**
 * The id of the call that one step of a fleet run is on one machine: the same for whoever goes on with the run, so that the machine
 * runs it once.
 */
export function callIdOf(call: FleetCall): string {
  return `flt_${fingerprint('cmdop-fleet-call-v1', call).slice(0, CHARACTERS)}`
}

/** The id of an operator's run in the same way: a UUID of version 8, which is for ids made in a way of one's own (RFC 9562). */
export function runIdOf(call: FleetCall): string {
  const digits = fingerprint('cmdop-fleet-run-v1', call).slice(0, 32)
  return digits.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-8$3-8$4-$5')
}

function fingerprint(purpose: string, { runId, step, machineId, generation, order }: FleetCall): string {
  return hash('sha256', [purpose, runId, step, machineId, generation, order].join('\n'))
}
