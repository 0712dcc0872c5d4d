import { hash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { CmdopError, type TunnelAuth } from '@cmdop/protocol'
import { newSecret } from '../auth/secrets.ts'
import type { TunnelRow } from '../store/tunnel-store.ts'

const derive = promisify<string, Buffer, number, object, Buffer>(scrypt)

/** A password may be one that a person chose: 32 MiB and some 50 ms for each try. */
const COST = { N: 32_768, r: 8, p: 1, maxmem: 64 * 1024 * 1024 }
const KEY_BYTES = 32

/** Passwords that are tried at once; more are told to come later. */
const MAX_TRIES = 4

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
  const key = await derive(`${username}:${chosen}`, salt, KEY_BYTES, COST)
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
  #tries = 0

  /** Whether this `Authorization` opens the tunnel. Throws `rate_limit` while too many passwords are tried. */
  async mayVisit({ id, auth, authHash }: TunnelRow, authorization: string | undefined): Promise<boolean> {
    if (auth === 'none') return true
    const [, scheme = '', shown = ''] = /^(\S{1,16}) +(\S{1,1024})$/.exec(authorization ?? '') ?? []
    if (authHash === null || scheme.toLowerCase() !== auth) return false
    if (auth === 'bearer') return isSame(hash('sha256', shown), authHash)
    const digest = hash('sha256', `${authHash} ${shown}`)
    if (isSame(this.#good.get(id) ?? '', digest)) return true
    if (!(await this.#isPassword(authHash, Buffer.from(shown, 'base64').toString()))) return false
    if (this.#good.size >= MAX_REMEMBERED) this.#good.clear()
    this.#good.set(id, digest)
    return true
  }

  async #isPassword(authHash: string, shown: string): Promise<boolean> {
    if (this.#tries >= MAX_TRIES)
      throw new CmdopError('rate_limit', 'Too many passwords are being tried; try again in a moment.')
    this.#tries += 1
    try {
      const [salt = '', key = ''] = authHash.split(':')
      return isSame((await derive(shown, Buffer.from(salt, 'hex'), KEY_BYTES, COST)).toString('hex'), key)
    } finally {
      this.#tries -= 1
    }
  }
}

function isSame(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other))
}
