import { randomInt } from 'node:crypto'
import type { SignInCode } from '@cmdop/protocol'
import { hashSecret, matchesHash, newId } from '../auth/secrets.ts'
import type { SignInCodeRow } from '../store/identity.ts'
import type { PrincipalRow, Store } from '../store/store.ts'

/** Milliseconds a code is good for. */
const CODE_TTL_MS = 600_000

/** Wrong codes after which a code is void. */
const MAX_ATTEMPTS = 5

/** Crockford's alphabet without the letter U: nothing in it looks like something else. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const LENGTH = 8

/** A new code for a member: 40 random bits, which nobody guesses in {@link MAX_ATTEMPTS}. Only its hash is kept. `lentById`: who has it, too. */
export async function createCode(
  store: Store,
  { id: principalId }: Pick<PrincipalRow, 'id'>,
  lentById: string | null = null,
): Promise<SignInCode> {
  const code = Array.from({ length: LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
  const id = newId('sic_')
  const now = Date.now()
  const expiresAt = new Date(now + CODE_TTL_MS).toISOString()
  const createdAt = new Date(now).toISOString()
  const codeHash = hashSecret(`${id}:${code}`)
  await store.signInCodes.create({ id, principalId, codeHash, createdAt, expiresAt, attempts: 0, lentById })
  return { code: `${code.slice(0, 4)}-${code.slice(4)}`, expires_at: expiresAt }
}

/** The code that was shown, which counts an attempt; undefined when it is none that is good. It is not used up yet. */
export async function findCode(
  store: Store,
  principalId: string,
  shown: string,
): Promise<Pick<SignInCodeRow, 'id' | 'lentById'> | undefined> {
  const code = shown.toUpperCase().replaceAll(/[\s-]/g, '').replaceAll('O', '0').replaceAll(/[IL]/g, '1')
  const now = new Date().toISOString()
  const rows = await store.signInCodes.attempt(principalId, { now, maxAttempts: MAX_ATTEMPTS })
  return rows.find(({ id, codeHash }) => matchesHash(`${id}:${code}`, codeHash))
}
