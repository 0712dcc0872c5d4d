import type { PolicyCall } from './call.ts'
import type { Judged } from './decide.ts'

/**
 * The restriction that makes a call harmless, held by the kernel; undefined: none does. With the network of the machine a service can be asked to
 * delete what the command may not, so that is never harmless.
 */
export function heldBy({ restrictions, tool }: PolicyCall, { subjects, verdict, problem }: Judged): string | undefined {
  if (restrictions === undefined || restrictions.network === 'host') return undefined
  // Methods about operators, effects and permissions are of the relay and the daemon, where no kernel holds them.
  if (!/^(?:exec$|file\.|session\.(?:open|attach|execute)$)/.test(tool)) return undefined
  if (restrictions.dryRun === true) return 'dryRun'
  if (restrictions.readOnly === true) return 'readOnly'
  const isHeld = verdict.class === 'delete' && problem === undefined
  const isOnlyDeleting = subjects.every((subject) => subject.class === 'delete' || subject.class === 'read')
  return restrictions.noDelete === true && isHeld && isOnlyDeleting ? 'noDelete' : undefined
}
