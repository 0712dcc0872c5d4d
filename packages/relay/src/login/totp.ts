import { CmdopError, type TotpSetup } from '@cmdop/protocol'
import { Secret, TOTP } from 'otpauth'
import type { TotpRow } from '../store/identity.ts'
import type { PrincipalRow, Store } from '../store/store.ts'

/** Seconds of a step, and how many steps a clock may be off to either side (RFC 6238). */
const PERIOD_S = 30
const WINDOW = 1

/** Fleets of a person that are looked at at once. */
const PAGE = 100

/** Wrong codes in a row until an authenticator is locked. */
const MAX_ATTEMPTS = 5

/** Milliseconds until it is open again, the first time; each time twice as long as before, at most a week. */
const FIRST_LOCK_MS = 900_000
const LONGEST_LOCK_MS = 7 * 86_400_000

/** A new secret for a member, which counts once it is confirmed. Throws `conflict` when there is a confirmed one, or none is wanted. */
export async function proposeTotp(store: Store, member: PrincipalRow): Promise<TotpSetup> {
  await assertWanted(store, member)
  const secret = new Secret({ size: 20 }).base32
  if (!(await store.totp.propose(member.id, secret)))
    throw new CmdopError('conflict', 'You have an authenticator already; remove it first: cmdop login totp --remove.')
  return { secret, otpauth_uri: generator(secret, member.email ?? member.name).toString() }
}

/** Throws `conflict` where none of the person's fleets takes authenticators. */
async function assertWanted(store: Store, { id, fleetId }: PrincipalRow): Promise<void> {
  const settings = await store.fleets.settings(fleetId)
  if (settings?.mfaRequired !== 'none') return
  for (let offset = 0; ; offset += PAGE) {
    const { items, total } = await store.fleets.ofPerson(id, { offset, limit: PAGE })
    if (items.some(({ fleet }) => fleet.mfaRequired !== 'none')) return
    if (offset + PAGE < total) continue
    const fleet = await store.fleets.get(fleetId)
    throw new CmdopError(
      'conflict',
      `The fleet ${fleet?.name ?? fleetId} takes no authenticators, and no other of yours does: its mfa_required is none.`,
    )
  }
}

/**
 * Confirms the secret by a first code. Throws `auth` for a wrong one, `rate_limit` after too many of them, `not_found` when
 * none was proposed.
 */
export async function confirmTotp(store: Store, principalId: string, code: string): Promise<void> {
  const row = await store.totp.get(principalId)
  if (row === undefined || row.confirmedAt !== null)
    throw new CmdopError('not_found', 'There is no authenticator to confirm.')
  await take(store, principalId, { code, confirmedAt: new Date().toISOString() })
}

/** Takes a code of the member's authenticator, once. Throws `auth`, and `rate_limit` after too many wrong ones. */
export async function takeTotp(store: Store, principalId: string, code: string): Promise<void> {
  const row = await store.totp.get(principalId)
  if (row === undefined || row.confirmedAt === null) throw wrongCode()
  await take(store, principalId, { code })
}

/** A try counts before it is looked at: those that come at once are not more than those that come one by one. */
async function take(
  store: Store,
  principalId: string,
  { code, confirmedAt }: { code: string; confirmedAt?: string },
): Promise<void> {
  const now = new Date().toISOString()
  const row = await store.totp.attempt(principalId, { now, maxAttempts: MAX_ATTEMPTS, lockUntil })
  if (row === undefined) throw locked(await store.totp.get(principalId))
  const step = stepOf(row.secret, code)
  if (step === undefined || !(await store.totp.take(principalId, step, confirmedAt))) throw wrongCode()
}

function lockUntil(lockouts: number): string {
  return new Date(Date.now() + Math.min(FIRST_LOCK_MS * 2 ** lockouts, LONGEST_LOCK_MS)).toISOString()
}

function locked(row: TotpRow | undefined): CmdopError {
  const leftMs = Date.parse(row?.lockedUntil ?? '') - Date.now()
  const retryAfter = Math.max(1, Math.ceil((Number.isNaN(leftMs) ? 0 : leftMs) / 1000))
  const message = `Too many wrong codes of the authenticator; wait ${retryAfter} s, or ask an admin to remove it: cmdop members reset-totp.`
  return new CmdopError('rate_limit', message, { retryAfter })
}

/** The step of which this is the code; undefined: of none about now. */
function stepOf(secret: string, code: string): number | undefined {
  const now = Date.now()
  const delta = generator(secret, '').validate({ token: code.replaceAll(/\s/g, ''), timestamp: now, window: WINDOW })
  return delta === null ? undefined : Math.floor(now / 1000 / PERIOD_S) + delta
}

function generator(secret: string, label: string): TOTP {
  return new TOTP({ issuer: 'CMDOP', label, secret: Secret.fromBase32(secret), digits: 6, period: PERIOD_S })
}

function wrongCode(): CmdopError {
  return new CmdopError('auth', 'The code of the authenticator is wrong, or was used already; wait for the next one.')
}
