import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import {
  actionText,
  CmdopError,
  isRestricted,
  type Open,
  Permit,
  permitText,
  restrictable,
  Restrictions,
  type SignedPermit,
} from '@cmdop/protocol'

/** What a permit is checked against. */
export interface PermitCheckerOptions {
  readonly machineId: string
  /** Where the machine is now; the relay may say another one later. */
  readonly fleetId: string
  readonly relayId: string
  /** The relay's key as pinned at enrolment, SPKI PEM. */
  readonly relayPublicKey: string
}

/**
 * Lets a call through only with a permit of the pinned relay, for exactly this call on this machine, in time and once.
 * Time is the relay's: its hello says what it is there.
 */
export class PermitChecker {
  readonly #options: PermitCheckerOptions
  readonly #key: KeyObject
  readonly #used = new Map<string, number>()
  /** What to add to the clock of this process, which no change of the system's time moves. */
  #relayOffsetMs = Date.now() - performance.now()
  /** What to add to the system's clock. */
  #wallOffsetMs = 0

  constructor(options: PermitCheckerOptions) {
    this.#options = options
    this.#key = createPublicKey(options.relayPublicKey)
  }

  /** Sets the relay's clock, from its hello. */
  synchronise(relayTime: number): void {
    this.#relayOffsetMs = relayTime - performance.now()
    this.#wallOffsetMs = relayTime - Date.now()
  }

  /** Milliseconds since 1970, by the relay's clock. */
  get relayNow(): number {
    return performance.now() + this.#relayOffsetMs
  }

  /**
   * The same, but rather too late than too early: the clock of this process stands still while the system sleeps, and the system's may
   * be set. What must not begin late is judged by whichever of them is ahead.
   */
  get latestNow(): number {
    return Math.max(this.relayNow, Date.now() + this.#wallOffsetMs)
  }

  /** The permit of a call. Throws `permit` for whatever is wrong with it; a permit that passed is used up. */
  take(open: Open): Permit {
    const permit = this.#read(open.permit)
    const { machineId, fleetId, relayId } = this.#options
    if (permit.machineId !== machineId || open.target !== machineId) throw refused('is for another machine')
    if (permit.fleetId !== fleetId || permit.relayId !== relayId) throw refused('is of another fleet or relay')
    if (permit.action !== open.method || permit.callId !== open.callId) throw refused('is for another call')
    if (permit.digest !== digestOf(open)) throw refused('is for other parameters than were sent')
    refuseUnknown(permit, open.params)
    this.#use(permit)
    return permit
  }

  #read(signed: SignedPermit | undefined): Permit {
    if (signed === undefined) throw refused('is missing')
    const signature = Buffer.from(signed.signature, 'base64url')
    if (!verify(null, Buffer.from(permitText(signed.body)), this.#key, signature))
      throw refused('is not signed by the relay')
    const permit = Permit.safeParse(JSON.parse(signed.body))
    if (!permit.success) throw refused('has a form that this daemon does not know')
    return permit.data
  }

  #use(permit: Permit): void {
    const now = this.relayNow
    if (permit.expiresAt <= now) throw refused('has expired')
    if (this.#used.has(permit.id)) throw refused('was used before')
    this.#used.set(permit.id, permit.expiresAt)
    for (const [id, expiresAt] of this.#used) {
      if (expiresAt > now) break
      this.#used.delete(id)
    }
  }
}

function refuseUnknown({ action, restrictions }: Permit, params: Open['params']): void {
  const parsed = Restrictions.safeParse(restrictions)
  if (!parsed.success) throw refused('asks for restrictions that this daemon does not know')
  if (!isRestricted(parsed.data)) return
  // What is done to files is restricted by a session, and by nothing else.
  const isOutside = action.startsWith('file.') && typeof params['session'] !== 'string'
  if (!restrictable(action) || isOutside) throw refused(`asks for restrictions, which ${action} cannot be held to`)
}

function digestOf(open: Open): string {
  const { method, target, callId, params, deadlineMs } = open
  return createHash('sha256').update(actionText({ method, target, callId, params, deadlineMs })).digest('hex')
}

function refused(why: string): CmdopError {
  return new CmdopError('permit', `The machine runs nothing: the permit ${why}.`)
}
