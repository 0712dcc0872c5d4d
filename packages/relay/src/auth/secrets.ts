import { hash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'

/** A secret as its bearer holds it, and the parts the store keeps. */
export interface NewSecret {
  readonly id: string
  /** Shown once, never stored. */
  readonly raw: string
  /** SHA-256 of the secret part, hex. 256 random bits need no slow hash. */
  readonly hash: string
  /** The first characters, for people to tell secrets apart. */
  readonly prefix: string
}

/** What a bearer shows: which kind, which row, and the secret to compare. */
export interface ShownSecret {
  readonly kind: string
  readonly id: string
  readonly secret: string
}

const SECRET = /^cmdop_([a-z]+)_([A-Za-z0-9]{8,32})_([A-Za-z0-9_-]{43})$/

/** A new id: a prefix that says of what, and 122 random bits. Made for every call, so from Node's store of random bytes. */
export function newId(prefix: string): string {
  return `${prefix}${randomUUID().replaceAll('-', '')}`
}

/** Makes `cmdop_<kind>_<id>_<secret>` with 256 random bits. */
export function newSecret(kind: string): NewSecret {
  const id = newId('')
  const secret = randomBytes(32).toString('base64url')
  const raw = `cmdop_${kind}_${id}_${secret}`
  return { id, raw, hash: hashSecret(secret), prefix: `cmdop_${kind}_${id.slice(0, 6)}` }
}

/** Takes a shown secret apart; undefined when it is none of ours. */
export function parseSecret(raw: string): ShownSecret | undefined {
  const [, kind, id, secret] = SECRET.exec(raw) ?? []
  return kind === undefined || id === undefined || secret === undefined ? undefined : { kind, id, secret }
}

/** SHA-256, hex. */
export function hashSecret(secret: string): string {
  return hash('sha256', secret)
}

/** Compares in constant time. */
export function matchesHash(secret: string, expectedHash: string): boolean {
  const expected = Buffer.from(expectedHash, 'hex')
  const actual = hash('sha256', secret, 'buffer')
  return expected.length === actual.length && timingSafeEqual(expected, actual)
}
