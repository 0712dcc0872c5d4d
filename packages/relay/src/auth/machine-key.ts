import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { CmdopError } from '@cmdop/protocol'
import type { MachineRow, Store } from '../store/store.ts'

/** What somebody signed, as a machine. */
export interface SignedText {
  readonly text: string
  /** Ed25519, base64url. */
  readonly signature: string
}

/**
 * Whether a machine signed this: with its key, or with the one that is to come, which takes the place of the other by that.
 */
export async function isSignedBy(store: Store, machine: MachineRow, signed: SignedText): Promise<boolean> {
  if (isSignedWith(machine.publicKey, signed)) return true
  const { id, nextPublicKey } = machine
  if (nextPublicKey === null || !isSignedWith(nextPublicKey, signed)) return false
  if (await store.machines.promoteKey(id, nextPublicKey, new Date().toISOString())) return true
  // Somebody else was first: with this key, or with another that was to come.
  return (await store.machines.get(id))?.publicKey === nextPublicKey
}

export function isSignedWith(publicKey: string, { text, signature }: SignedText): boolean {
  return verify(null, Buffer.from(text), keyOf(publicKey), Buffer.from(signature, 'base64url'))
}

/** Keys that are kept as Node needs them: to read one from its PEM takes as long as what is done with it. */
const MAX_KEYS = 20_000
const keys = new Map<string, KeyObject>()

function keyOf(pem: string): KeyObject {
  const known = keys.get(pem)
  if (known !== undefined) return known
  const key = createPublicKey(pem)
  if (keys.size >= MAX_KEYS) keys.clear()
  keys.set(pem, key)
  return key
}

/** The key as SPKI PEM of ours; refuses everything but Ed25519. */
export function normalKey(pem: string): string {
  try {
    const key = createPublicKey({ key: pem, format: 'pem' })
    if (key.asymmetricKeyType === 'ed25519' && !pem.includes('PRIVATE'))
      return key.export({ type: 'spki', format: 'pem' }).toString()
  } catch {
    // Falls through to the one refusal.
  }
  throw new CmdopError('validation', 'Expected public_key to be an Ed25519 public key in SPKI PEM.')
}

/** SHA-256 of a key (SPKI, DER), hex. PEM is the DER in base64 between two lines. */
export function fingerprint(publicKey: string): string {
  const known = fingerprints.get(publicKey)
  if (known !== undefined) return known
  if (fingerprints.size >= MAX_KEYS) fingerprints.clear()
  const made = hashOf(publicKey)
  fingerprints.set(publicKey, made)
  return made
}

/** Every line of a list of machines has one. */
const fingerprints = new Map<string, string>()

function hashOf(publicKey: string): string {
  const der = Buffer.from(publicKey.replace(/-----[^-]+-----/g, ''), 'base64')
  return createHash('sha256').update(der).digest('hex')
}
