import type { MfaRequired } from '@cmdop/protocol'
import type { PrincipalRow, Role } from './principals.ts'

/** What a fleet decides for all of its members. */
export interface FleetSettingsRow {
  readonly mfaRequired: MfaRequired
  /** Null: on as soon as the fleet has two members. */
  readonly fourEyes: boolean | null
}

/** A one-time link that makes a member. */
export interface InvitationRow {
  readonly id: string
  readonly fleetId: string
  /** SHA-256 of the secret, hex. */
  readonly secretHash: string
  readonly email: string
  readonly role: Role
  readonly groups: readonly string[]
  readonly invitedById: string
  readonly createdAt: string
  readonly expiresAt: string
  readonly acceptedAt: string | null
  readonly revokedAt: string | null
}

/** The invitations of all fleets. */
export interface InvitationStore {
  create(invitation: InvitationRow): Promise<void>
  get(invitationId: string): Promise<InvitationRow | undefined>
  /** Of one fleet, that may still be accepted, the newest first. */
  open(fleetId: string, now: string): Promise<InvitationRow[]>
  /** Uses the invitation and adds its member, both or none, however many come at once. False: it was used, revoked or has expired. */
  accept(invitationId: string, member: PrincipalRow): Promise<boolean>
  /** True when this call revoked it. */
  revoke(fleetId: string, invitationId: string, at: string): Promise<boolean>
}

/** A code with which a member signs in once. */
export interface SignInCodeRow {
  readonly id: string
  readonly principalId: string
  /** SHA-256 of id and code, hex. */
  readonly codeHash: string
  readonly createdAt: string
  readonly expiresAt: string
  readonly attempts: number
  /** Who made it for the member; null: the member, or the relay for a mail. */
  readonly lentById: string | null
}

/** The codes that are not used yet. */
export interface SignInCodeStore {
  /** Adds a code; those of the member that have expired are forgotten, and of the others all but the newest four. */
  create(code: SignInCodeRow): Promise<void>
  /** Counts an attempt for every code of the member, and gives those that had attempts left: each one is in so many answers at most. */
  attempt(principalId: string, limit: { now: string; maxAttempts: number }): Promise<SignInCodeRow[]>
  /** Uses it up: true for one caller. */
  take(codeId: string): Promise<boolean>
}

/** The authenticator of a member (RFC 6238). */
export interface TotpRow {
  readonly principalId: string
  /** Base32. */
  readonly secret: string
  /** Null until a first code has shown that the member has it. */
  readonly confirmedAt: string | null
  /** The last step of which a code was taken; none before or of it is taken again. */
  readonly lastStep: number
  /** Codes that were tried since the last right one, or since it was locked last. */
  readonly attempts: number
  /** Times it was locked since the last right one. */
  readonly lockouts: number
  /** Until then no code is taken. */
  readonly lockedUntil: string | null
}

/** After how many tries an authenticator is locked, and until when the next time. */
export interface TotpLimit {
  readonly now: string
  readonly maxAttempts: number
  readonly lockUntil: (lockouts: number) => string
}

/** Authenticators of members, one each. */
export interface TotpStore {
  get(principalId: string): Promise<TotpRow | undefined>
  /** Keeps a new secret in place of one that is not confirmed. False: there is a confirmed one. */
  propose(principalId: string, secret: string): Promise<boolean>
  /**
   * Counts a try, before anybody looks whether it is right, however many come at once; the last one locks the authenticator.
   * Gives it as it is then; undefined when there is none, or it is locked.
   */
  attempt(principalId: string, limit: TotpLimit): Promise<TotpRow | undefined>
  /**
   * Takes the code of a step, once, and forgets the tries before: false when one of this or a later step was taken.
   * `confirmedAt` for the first one.
   */
  take(principalId: string, step: number, confirmedAt?: string): Promise<boolean>
  remove(principalId: string): Promise<void>
}
