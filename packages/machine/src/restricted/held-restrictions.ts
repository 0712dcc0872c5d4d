import { realpathSync } from 'node:fs'
import { CmdopError, isRestricted, mergeRestrictions, type Permit, Restrictions } from '@cmdop/protocol'

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

/** Throws `permit` where a permit asks for more than what a session is held to: its restrictions are fixed. */
export function assertHolds(held: Restrictions | undefined, permit: Pick<Permit, 'restrictions'>): void {
  const ofPermit = permitRestrictions(permit)
  if (ofPermit === undefined) return
  const together = mergeRestrictions(held, ofPermit)
  const known = mergeRestrictions(held, held)
  if (JSON.stringify(sorted(together)) !== JSON.stringify(sorted(known)))
    throw new CmdopError('permit', 'The permit asks for more restrictions than the session has; open another session.')
}

function sorted(restrictions: Restrictions): unknown[] {
  const { limits = {}, writablePaths, ...rest } = restrictions
  return [byName(rest), byName(limits), writablePaths?.toSorted() ?? null]
}

function byName(values: object): unknown[] {
  return Object.entries(values).toSorted(([one], [other]) => one.localeCompare(other))
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
