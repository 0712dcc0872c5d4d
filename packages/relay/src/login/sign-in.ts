import type { AuditTrail } from '../audit/audit-trail.ts'
import { CmdopError, type SignedIn } from '@cmdop/protocol'
import { newSecret } from '../auth/secrets.ts'
import type { PrincipalRow, Store } from '../store/store.ts'
import { findCode } from './codes.ts'
import { personActs } from './record.ts'
import { takeTotp } from './totp.ts'

/** Milliseconds a session lasts. */
const SESSION_TTL_MS = 7 * 86_400_000

/** Where somebody signs in from. */
export interface SignInPlace {
  readonly ip: string | null
  readonly userAgent: string | null
  readonly requestId: string
}

/** What a person shows to sign in. */
export interface ShownCodes {
  readonly email: string
  readonly code: string
  /** Slug or id, see {@link PrincipalStore.forSignIn}. */
  readonly fleet?: string | undefined
  readonly totp?: string | undefined
}

/**
 * A session for the member of this email and code. Throws `auth`: the same for an email that nobody has, and with
 * `details.totp` when the code is right and the authenticator's is missing; `rate_limit` after too many wrong ones of it. Of a
 * member, every try is an audit row.
 */
export async function signIn(
  { store, audit }: { readonly store: Store; readonly audit: AuditTrail },
  shown: ShownCodes,
  place: SignInPlace,
): Promise<SignedIn> {
  const member = await store.principals.forSignIn(shown.email, shown.fleet)
  if (member === undefined) throw wrongCode()
  return audit.around(personActs(member, { action: 'login', requestId: place.requestId }), async (note) => {
    const signedIn = await openSession(store, member, {
      ...place,
      lentById: await checkCodes(store, member, shown),
    })
    note({ subject: `session:${signedIn.session_id}` })
    return signedIn
  })
}

/** A session for somebody who has shown that he is the member. */
export async function openSession(
  store: Store,
  { id: principalId, fleetId }: PrincipalRow,
  { ip, userAgent, lentById = null }: SignInPlace & { readonly lentById?: string | null },
): Promise<SignedIn> {
  const secret = newSecret('session')
  const now = Date.now()
  const expiresAt = new Date(now + SESSION_TTL_MS).toISOString()
  await store.keys.create({
    id: secret.id,
    fleetId,
    principalId,
    name: 'sign-in',
    secretHash: secret.hash,
    prefix: secret.prefix,
    createdAt: new Date(now).toISOString(),
    expiresAt,
    lastUsedAt: null,
    revokedAt: null,
    credential: 'session',
    lentById,
    ip,
    userAgent: userAgent?.slice(0, 300) ?? null,
  })
  const [settings, totp] = await Promise.all([store.fleets.settings(fleetId), store.totp.get(principalId)])
  const isMissing = totp === undefined || totp.confirmedAt === null
  return {
    token: secret.raw,
    session_id: secret.id,
    fleet_id: fleetId,
    principal_id: principalId,
    expires_at: expiresAt,
    totp_required: settings?.mfaRequired === 'required' && isMissing,
  }
}

/** Uses them up. Who else may have the code; null where the authenticator shows that it is the member. */
async function checkCodes(
  store: Store,
  { id }: PrincipalRow,
  { code, totp: shownTotp }: ShownCodes,
): Promise<string | null> {
  const found = await findCode(store, id, code)
  if (found === undefined) throw wrongCode()
  // Whoever has set one up is asked for it, whatever the fleet asks for.
  const totp = await store.totp.get(id)
  if (totp !== undefined && totp.confirmedAt !== null) {
    if (shownTotp === undefined)
      throw new CmdopError('auth', 'Expected the code of your authenticator too (totp).', {
        details: { totp: 'required' },
      })
    await takeTotp(store, id, shownTotp)
  }
  if (!(await store.signInCodes.take(found.id))) throw wrongCode()
  return totp !== undefined && totp.confirmedAt !== null ? null : found.lentById
}

function wrongCode(): CmdopError {
  return new CmdopError('auth', 'The email or the code is wrong, or the code is used up or expired; ask for a new one.')
}
