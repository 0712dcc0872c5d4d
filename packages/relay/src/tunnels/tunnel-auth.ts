import { hash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { CmdopError, type TunnelAuth } from '@cmdop/protocol'
import pLimit from 'p-limit'
import { newSecret } from '../auth/secrets.ts'
import type { TunnelRow } from '../store/tunnel-store.ts'

const derive = promisify<string, Buffer, number, object, Buffer>(scrypt)

/** A password may be one that a person chose: 32 MiB and some 50 ms for each try. */
const COST = { N: 32_768, r: 8, p: 1, maxmem: 64 * 1024 * 1024 }
const KEY_BYTES = 32

/** Keys that are derived at once in this process, and that wait for it: libuv has four threads, and others need them, too. */
const MAX_DERIVATIONS = 2
const MAX_WAITING = 16

/** Wrong passwords in a minute from one address for one tunnel, and for one tunnel from everywhere; more are not looked at. */
const MAX_WRONG_BY_ADDRESS = 10
const MAX_WRONG = 100
const WRONG_WITHIN_MS = 60_000

/** Tunnels and addresses whose wrong passwords are counted at most. */
const MAX_COUNTED = 10_000

const derivations = pLimit(MAX_DERIVATIONS)

/** Tunnels of which the last good header is remembered, by its hash, so that not every request takes so long. */
const MAX_REMEMBERED = 1000

/** What a visitor shows, to be told once, and what is kept of it. */
export interface TunnelSecret {
  readonly hash: string | null
  readonly token: string | null
  readonly username: string | null
  readonly password: string | null
}

/** Makes what the visitors of a tunnel show; a password that was given is not told back. */
export async function createTunnelSecret(
  auth: TunnelAuth,
  { username, password }: { readonly username: string; readonly password?: string | undefined },
): Promise<TunnelSecret> {
  const nothing = { hash: null, token: null, username: null, password: null }
  if (auth === 'none') return nothing
  if (auth === 'bearer') {
    const token = newSecret('tunnel').raw
    return { ...nothing, hash: hash('sha256', token), token }
  }
  const chosen = password ?? randomBytes(18).toString('base64url')
  const salt = randomBytes(16)
  const key = await derivations(() => derive(`${username}:${chosen}`, salt, KEY_BYTES, COST))
  return {
    hash: `${salt.toString('hex')}:${key.toString('hex')}`,
    token: null,
    username,
    password: password === undefined ? chosen : null,
  }
}

/** Checks what visitors of tunnels show, in constant time. */
export class TunnelVisitors {
  readonly #good = new Map<string, string>()
  readonly #wrong = new Map<string, { count: number; readonly since: number }>()

  /** Whether this `Authorization` from this address opens the tunnel. Throws `rate_limit` while too many passwords are tried. */
  async mayVisit(
    { id, auth, authHash }: TunnelRow,
    authorization: string | undefined,
    address: string | undefined,
  ): Promise<boolean> {
    if (auth === 'none') return true
    const [, scheme = '', shown = ''] = /^(\S{1,16}) +(\S{1,1024})$/.exec(authorization ?? '') ?? []
    if (authHash === null || scheme.toLowerCase() !== auth) return false
    if (auth === 'bearer') return isSame(hash('sha256', shown), authHash)
    const digest = hash('sha256', `${authHash} ${shown}`)
    if (isSame(this.#good.get(id) ?? '', digest)) return true
    // Taken before it is known, so that no more are tried at once either.
    const budgets = [this.#budget(id, MAX_WRONG), this.#budget(`${id} ${address}`, MAX_WRONG_BY_ADDRESS)]
    for (const budget of budgets) budget.count += 1
    if (!(await isPassword(authHash, Buffer.from(shown, 'base64').toString()))) return false
    for (const budget of budgets) budget.count -= 1
    if (this.#good.size >= MAX_REMEMBERED) this.#good.clear()
    this.#good.set(id, digest)
    return true
  }

  /** What was wrong of late. Throws `rate_limit` when that is too much. */
  #budget(of: string, most: number): { count: number } {
    const now = performance.now()
    const known = this.#wrong.get(of)
    const isOf = known !== undefined && now - known.since < WRONG_WITHIN_MS
    if (isOf && known.count >= most) throw tooMany()
    if (isOf) return known
    if (this.#wrong.size >= MAX_COUNTED) this.#wrong.clear()
    const budget = { count: 0, since: now }
    this.#wrong.set(of, budget)
    return budget
  }
}

async function isPassword(authHash: string, shown: string): Promise<boolean> {
  if (derivations.pendingCount >= MAX_WAITING) throw tooMany()
  const [salt = '', key = ''] = authHash.split(':')
  const derived = await derivations(() => derive(shown, Buffer.from(salt, 'hex'), KEY_BYTES, COST))
  return isSame(derived.toString('hex'), key)
}

function tooMany(): CmdopError {
  return new CmdopError('rate_limit', 'Too many passwords are being tried; try again in a minute.')
}

function isSame(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other))
}
