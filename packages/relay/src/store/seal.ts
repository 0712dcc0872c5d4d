import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { link, open, readFile, rm } from 'node:fs/promises'
import { CmdopError, toCmdopError } from '@cmdop/protocol'

/** Bytes of a key, and of nonce and tag of AES-256-GCM (NIST SP 800-38D). */
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** What sealed texts begin with. */
const PREFIX = 'sealed1.'

/** Keeps secrets in a database that is of no use without its key. */
export interface Seal {
  /** `place` says where it is kept: `totp.secret:<id>`. It opens nowhere else. */
  close(secret: string, place: string): string
  /** Throws `integrity` for what was changed, is of another place, or was sealed with another key. */
  open(sealed: string, place: string): string
}

/** A seal of AES-256-GCM, with a key that is derived (HKDF, RFC 5869) from 32 random bytes. */
export function createSeal(root: Uint8Array): Seal {
  const key = Buffer.from(hkdfSync('sha256', root, '', 'cmdop store secrets 1', KEY_BYTES))
  return {
    close: (secret, place) => {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(place))
      const content = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()])
      return `${PREFIX}${Buffer.concat([nonce, content, cipher.getAuthTag()]).toString('base64url')}`
    },
    open: (sealed, place) => {
      try {
        if (!sealed.startsWith(PREFIX)) throw new Error('It is not sealed.')
        const bytes = Buffer.from(sealed.slice(PREFIX.length), 'base64url')
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
          authTagLength: TAG_BYTES,
        })
        decipher.setAAD(Buffer.from(place)).setAuthTag(bytes.subarray(-TAG_BYTES))
        const content = bytes.subarray(NONCE_BYTES, -TAG_BYTES)
        return Buffer.concat([decipher.update(content), decipher.final()]).toString('utf8')
      } catch (cause) {
        throw new CmdopError(
          'integrity',
          `The stored ${place} does not fit the key of the database; put back the file *.key beside it, or set the secret up anew.`,
          { cause },
        )
      }
    },
  }
}

/**
 * The key in a file, made by whoever opens it first; all others get that one, also in other processes. Mode 0600. Throws `config` where
 * it cannot be made or read.
 */
export async function readSealKey(file: string): Promise<Uint8Array> {
  try {
    const key = (await readIfThere(file)) ?? (await makeKey(file))
    if (key.length !== KEY_BYTES) throw new Error(`It has ${key.length} bytes.`)
    return key
  } catch (error) {
    throw toCmdopError(error, 'config', `Expected ${file} to hold the key of the database, ${KEY_BYTES} bytes.`)
  }
}

/** Written whole before it has its name, so that nobody reads half of it, and of several who make one a single one stays. */
async function makeKey(file: string): Promise<Uint8Array> {
  const draft = `${file}.${randomBytes(8).toString('hex')}`
  try {
    await using handle = await open(draft, 'wx', 0o600)
    await handle.writeFile(randomBytes(KEY_BYTES))
    await handle.sync()
    await link(draft, file).catch((error: unknown) => {
      if (!isErrno(error, 'EEXIST')) throw error
    })
  } finally {
    await rm(draft, { force: true })
  }
  return await readFile(file)
}

async function readIfThere(file: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(file)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
