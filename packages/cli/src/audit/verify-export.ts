import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { AuditCheckpoint, type AuditVerification, AuditVerifier, CmdopError, statementText } from '@cmdop/protocol'
import { z } from 'zod'

/** Bytes that are read at once. */
const READ_BYTES = 1024 * 1024

export interface VerifyOptions {
  /** Ed25519, SPKI PEM: the key of the relay. */
  readonly publicKey: string
  /** A file of checkpoints that was kept elsewhere, as a file sink writes it. */
  readonly checkpointsFile?: string | undefined
  readonly fromCheckpoint?: number | undefined
}

/** Verifies an export, in pieces as they come, without a relay. Throws `config` for what is no key. */
export async function verifyExport(
  source: AsyncIterable<Uint8Array>,
  { publicKey, checkpointsFile, fromCheckpoint }: VerifyOptions,
): Promise<AuditVerification> {
  const key = parseKey(publicKey)
  const isSigned = (text: string, signature: string) => isSignedBy(key, text, signature)
  const known = checkpointsFile === undefined ? undefined : await readKnown(checkpointsFile, isSigned)
  const verifier = new AuditVerifier({
    sha256: (bytes) => hash('sha256', bytes),
    isSigned,
    ...(known === undefined ? {} : { known }),
    ...(fromCheckpoint === undefined ? {} : { fromCheckpoint }),
  })
  for await (const chunk of source) verifier.push(chunk)
  return verifier.end()
}

/** The bytes of a file, read in big pieces. */
export function readExport(path: string): AsyncIterable<Uint8Array> {
  return createReadStream(path, { highWaterMark: READ_BYTES }) as AsyncIterable<Uint8Array>
}

const Kept = z.object({ checkpoint: z.string(), signature: z.string() })

/** Lines that the relay did not sign prove nothing, and are refused. */
async function readKnown(
  path: string,
  isSigned: (text: string, signature: string) => boolean,
): Promise<Map<number, string>> {
  const known = new Map<number, string>()
  for await (const line of createInterface({ input: createReadStream(path) })) {
    if (line === '') continue
    const kept = Kept.safeParse(parseJson(line))
    if (!kept.success || !isSigned(statementText('checkpoint', kept.data.checkpoint), kept.data.signature))
      throw new CmdopError('integrity', `${path} has a line that is no checkpoint of this relay.`)
    known.set(AuditCheckpoint.parse(JSON.parse(kept.data.checkpoint)).number, hash('sha256', kept.data.checkpoint))
  }
  return known
}

function isSignedBy(key: KeyObject, text: string, signature: string): boolean {
  return verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64url'))
}

function parseKey(pem: string): KeyObject {
  try {
    const key = createPublicKey(pem)
    if (key.asymmetricKeyType === 'ed25519' && !pem.includes('PRIVATE')) return key
  } catch {
    // Falls through to the one refusal.
  }
  throw new CmdopError('config', 'Expected the key of the relay as PEM (Ed25519), as cmdop audit key prints it.')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
