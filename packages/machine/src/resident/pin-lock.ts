import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CmdopError } from '@cmdop/protocol'
import { z } from 'zod'

/** Wrong PINs in a row until the machine is locked. */
const MAX_ATTEMPTS = 5

/** Milliseconds until it is open again, the first time; each time twice as long as before, at most a week. */
const FIRST_LOCK_MS = 900_000
const LONGEST_LOCK_MS = 7 * 86_400_000

const derive = promisify<string, Buffer, number, object, Buffer>(scrypt)

/** Costs 64 MiB and about a tenth of a second a try. */
const COST = { N: 65_536, r: 8, p: 1, maxmem: 128 * 1024 * 1024 }
const HASH_BYTES = 32

const PinFile = z.strictObject({
  version: z.literal(1),
  salt: z.string(),
  hash: z.string(),
  /** Wrong ones in a row; kept, so that a restart forgives nothing. */
  attempts: z.number().int(),
  /** Milliseconds since 1970. */
  lockedUntil: z.number(),
  /** Times it was locked since the last right one. */
  lockouts: z.number().int().default(0),
})
type PinFile = z.infer<typeof PinFile>

const fileOf = (dataDir: string) => join(dataDir, 'pin.json')

/** Sets the PIN that whoever asks the machine's operator has to know; undefined takes it away. Only its scrypt is kept. */
export async function setMachinePin(dataDir: string, pin: string | undefined): Promise<void> {
  if (pin === undefined) return rmSync(fileOf(dataDir), { force: true })
  if (!/^\S{4,64}$/.test(pin))
    throw new CmdopError('validation', 'Expected a PIN of 4 to 64 characters without spaces.')
  const salt = randomBytes(16)
  const hash = await derive(pin, salt, HASH_BYTES, COST)
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  write(dataDir, {
    version: 1,
    salt: salt.toString('base64'),
    hash: hash.toString('base64'),
    attempts: 0,
    lockedUntil: 0,
    lockouts: 0,
  })
}

/** Verifies PINs, one after another, and locks after several wrong ones. */
export class PinLock {
  readonly #dataDir: string
  #turn: Promise<unknown> = Promise.resolve()

  constructor(dataDir: string) {
    this.#dataDir = dataDir
  }

  /** Whether a PIN is set. */
  get isSet(): boolean {
    return read(this.#dataDir) !== undefined
  }

  /** Why the PIN is refused; undefined when it is right. */
  verify(pin: string): Promise<string | undefined> {
    const verified = this.#turn.then(() => this.#verify(pin))
    this.#turn = verified.catch(() => {})
    return verified
  }

  async #verify(pin: string): Promise<string | undefined> {
    const file = read(this.#dataDir)
    if (file === undefined) return undefined
    if (file.lockedUntil > Date.now()) return `locked until ${new Date(file.lockedUntil).toISOString()}`
    // Counted before it is looked at: a daemon that is killed meanwhile gives no free try.
    const attempts = file.attempts + 1
    const isLast = attempts >= MAX_ATTEMPTS
    const lockedUntil = isLast ? Date.now() + lockMs(file.lockouts) : 0
    const lockouts = file.lockouts + (isLast ? 1 : 0)
    write(this.#dataDir, { ...file, attempts: isLast ? 0 : attempts, lockedUntil, lockouts })
    const hash = await derive(pin, Buffer.from(file.salt, 'base64'), HASH_BYTES, COST)
    if (!timingSafeEqual(hash, Buffer.from(file.hash, 'base64')))
      return isLast ? `wrong; locked until ${new Date(lockedUntil).toISOString()}` : 'wrong'
    // One that was set meanwhile stays.
    if (read(this.#dataDir)?.hash === file.hash)
      write(this.#dataDir, { ...file, attempts: 0, lockedUntil: 0, lockouts: 0 })
    return undefined
  }
}

function lockMs(lockouts: number): number {
  return Math.min(FIRST_LOCK_MS * 2 ** lockouts, LONGEST_LOCK_MS)
}

function read(dataDir: string): PinFile | undefined {
  try {
    return PinFile.parse(JSON.parse(readFileSync(fileOf(dataDir), 'utf8')))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new CmdopError('config', `${fileOf(dataDir)} cannot be read; set the PIN of the machine again.`, { cause })
  }
}

function write(dataDir: string, file: PinFile): void {
  writeFileSync(`${fileOf(dataDir)}.new`, JSON.stringify(file), { mode: 0o600, flush: true })
  renameSync(`${fileOf(dataDir)}.new`, fileOf(dataDir))
}
