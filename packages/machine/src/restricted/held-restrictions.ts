import { realpathSync } from 'node:fs'
import { isRestricted, mergeRestrictions, type Permit, Restrictions } from '@cmdop/protocol'

/** What is held of a command or session: what it asks for, and what its permit asks for. Undefined when that is nothing. */
export function heldRestrictions(
  asked: Restrictions | undefined,
  { restrictions }: Pick<Permit, 'restrictions'>,
): Restrictions | undefined {
  const ofPermit = permitRestrictions({ restrictions })
  // What is below a writable path of the other by its name may be a link to elsewhere.
  const held =
    ofPermit === undefined ? asked : mergeRestrictions(asked && withRealPaths(asked), withRealPaths(ofPermit))
  return isRestricted(held) ? held : undefined
}

/** Those of a permit, which was checked. */
export function permitRestrictions({ restrictions }: Pick<Permit, 'restrictions'>): Restrictions | undefined {
  const parsed = Restrictions.parse(restrictions)
  return isRestricted(parsed) ? parsed : undefined
}

/** Whether changes are kept in a view, as an effect. */
export function keepsChanges({ readOnly, dryRun, noDelete, noOverwrite }: Restrictions): boolean {
  return readOnly !== true && (dryRun === true || noDelete === true || noOverwrite === true)
}

function withRealPaths(restrictions: Restrictions): Restrictions {
  const { writablePaths } = restrictions
  return writablePaths === undefined ? restrictions : { ...restrictions, writablePaths: writablePaths.map(realPath) }
}

/** What is not there is refused when the sandbox is opened. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
