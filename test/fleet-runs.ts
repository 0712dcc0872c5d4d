import { createHash } from 'node:crypto'
import { canonicalJson, type FleetRunCreate } from '@cmdop/protocol'

/** A fleet run over these machines in one wave, whose script is nobody's. */
export function fleetRunOf(runId: string, machineIds: readonly string[]): FleetRunCreate {
  const plan = {}
  const targets = machineIds.map((machineId) => ({ machineId, wave: 1 }))
  const planDigest = createHash('sha256').update(canonicalJson({ plan, targets })).digest('hex')
  return { runId, kind: 'exec', title: 'Look', plan, planDigest, targets }
}
