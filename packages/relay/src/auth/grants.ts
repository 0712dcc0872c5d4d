import { CmdopError, type KeyScope } from '@cmdop/protocol'
import { roles, type Role } from '../store/store.ts'
import { isRangeIn } from './addresses.ts'
import type { Caller } from './authenticate.ts'
import { actions } from './authorise.ts'
import { fitsAction, isScopeWithin } from './scopes.ts'

/** What a key is limited to. */
export interface Limits {
  readonly scopes: readonly KeyScope[] | null
  readonly ipRanges: readonly string[] | null
  readonly maxTargetsPerRun: number | null
  readonly expiresAt: string | null
}

/** What somebody asks for. */
export interface Wanted {
  readonly scopes?: readonly KeyScope[] | undefined
  readonly ipRanges?: readonly string[] | undefined
  readonly maxTargetsPerRun?: number | undefined
  readonly expiresAt: string | null
}

/** Throws `permission` for a role above the caller's own. */
export function assertRank(caller: Pick<Caller, 'role'>, role: Role, what: string): void {
  if (roles.indexOf(role) >= roles.indexOf(caller.role)) return
  throw new CmdopError('permission', `Your role ${caller.role} may not ${what}.`)
}

/**
 * Throws `permission` for who is limited by scopes: a member, and who signs in as one, is not. `isPersonal`: it lets one be
 * a person to everybody, approvals too, so only people do it.
 */
export function assertMayGiveAll(
  caller: Pick<Caller, 'scopes' | 'kind'>,
  { isPersonal = false }: { isPersonal?: boolean } = {},
): void {
  if (isPersonal && caller.kind !== 'human')
    throw new CmdopError('permission', `Only a person lets somebody in as a person, not a key of kind ${caller.kind}.`)
  if (caller.scopes.length > 0)
    throw new CmdopError('permission', 'Your key is limited by scopes, and what you give away here is not.')
}

/**
 * The limits of a key that the caller gives away: what is not asked for is as its own, and nothing is more. How long a
 * person stays signed in does not limit how long a key lives. Throws `permission`, and `validation` for an unknown action.
 */
export function limitsWithin({ key, scopes: own }: Pick<Caller, 'key' | 'scopes'>, wanted: Wanted): Limits {
  const { scopes = key.scopes, ipRanges = key.ipRanges } = wanted
  for (const scope of wanted.scopes ?? []) assertKnown(scope)
  // Without any it is as the caller's own key, or as what that one came from, which goes on to limit it.
  if (own.some((outer) => scopes?.some((scope) => !isScopeWithin(scope, outer, actions)) === true))
    throw new CmdopError('permission', 'The scopes go beyond those of your own key.')
  const outside = key.ipRanges === null ? undefined : ipRanges?.find((range) => !isRangeIn(range, key.ipRanges ?? []))
  if (outside !== undefined) throw new CmdopError('permission', `${outside} goes beyond the addresses of your own key.`)
  const counts = [wanted.maxTargetsPerRun, key.maxTargetsPerRun].filter((count) => count != null)
  return {
    scopes,
    ipRanges,
    maxTargetsPerRun: counts.length === 0 ? null : Math.min(...counts),
    expiresAt: key.credential === 'session' ? wanted.expiresAt : earlier(wanted.expiresAt, key.expiresAt),
  }
}

function assertKnown(scope: KeyScope): void {
  const unknown = scope.actions.find((pattern) => !actions.some((action) => fitsAction([pattern], action)))
  if (unknown === undefined) return
  throw new CmdopError('validation', `There is no action ${unknown}; docs/permissions.md lists them.`)
}

function earlier(left: string | null, right: string | null): string | null {
  if (left === null || right === null) return left ?? right
  return left < right ? left : right
}
