import { CmdopError, Restrictions, type RestrictionsInput } from '@cmdop/protocol'
import { z } from 'zod'

/**
 * Restrictions under the one name of each, as they are sent; undefined for none. Throws `validation`, naming what is not known,
 * not valid, or given under two names: a restriction that is misspelt must not be taken for none.
 */
export function knownRestrictions(given: RestrictionsInput | undefined): Restrictions | undefined {
  if (given === undefined) return undefined
  const parsed = Restrictions.safeParse(given)
  if (parsed.success) return Object.keys(parsed.data).length === 0 ? undefined : parsed.data
  throw new CmdopError('validation', `The restrictions are not valid: ${z.prettifyError(parsed.error)}`)
}
