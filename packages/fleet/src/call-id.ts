import { hash } from 'node:crypto'

/** Characters of a call id at most are 64; as many bits as nobody meets by chance. */
const CHARACTERS = 40

/**
 * The id of the call that one step of a fleet run is on one machine: the same for whoever goes on with the run, so that the machine
 * runs it once. `generation`: how often it was asked for anew by `retry`.
 */
export function callIdOf(call: { runId: string; step: string; machineId: string; generation: number }): string {
  const { runId, step, machineId, generation } = call
  const text = ['cmdop-fleet-call-v1', runId, step, machineId, generation].join('\n')
  return `flt_${hash('sha256', text).slice(0, CHARACTERS)}`
}
