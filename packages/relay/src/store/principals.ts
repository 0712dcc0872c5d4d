import type { KeyScope } from '@cmdop/protocol'

/** What can act; see {@link PrincipalRow}. */
export const principalKinds = ['human', 'ai', 'service', 'schedule', 'machine', 'system'] as const
/** One of {@link principalKinds}. */
export type PrincipalKind = (typeof principalKinds)[number]

/** What a member of a fleet is, the mightiest first. */
export const roles = ['owner', 'admin', 'member', 'viewer'] as const
/** One of {@link roles}. */
export type Role = (typeof roles)[number]

/** Whoever acts in a fleet. */
export interface PrincipalRow {
  readonly id: string
  readonly fleetId: string
  readonly kind: PrincipalKind
  readonly name: string
  readonly role: Role
  /** The principal it acts for: the person behind an AI operator. */
  readonly actsForId: string | null
  /** When it joined. */
  readonly createdAt: string
  /** Of a person, in lower case; unique among the members of its fleet. */
  readonly email: string | null
  /** Labels of a person, which approvals count. */
  readonly groups: readonly string[]
  readonly invitedById: string | null
  /** Since then neither it nor what acts for it may do anything. */
  readonly removedAt: string | null
  /**
   * Of a person who is a member of several fleets: the member of the fleet where he signs in, whose membership here this is.
   * Null: signs in here.
   */
  readonly personId: string | null
  /** Of such a membership: when its fleet let the person in again, see {@link isConfirmed}. */
  readonly confirmedAt: string | null
  /** Of a person where he signs in: when somebody else last got a way to sign in as him. */
  readonly controlChangedAt: string | null
}

/** Whether the fleet of a membership has let in whoever signs in as the person now: nobody else got a way to do that since. */
export function isConfirmed(
  { createdAt, confirmedAt }: Pick<PrincipalRow, 'createdAt' | 'confirmedAt'>,
  { controlChangedAt }: Pick<PrincipalRow, 'controlChangedAt'>,
): boolean {
  return controlChangedAt === null || (confirmedAt ?? createdAt) > controlChangedAt
}

/** A principal as it is made; what is left out is empty. */
export type NewPrincipal = WithDefaults<
  PrincipalRow,
  'email' | 'groups' | 'invitedById' | 'removedAt' | 'personId' | 'confirmedAt' | 'controlChangedAt'
>

/** A row as it is made, where some columns may be left out. */
export type WithDefaults<Row, Name extends keyof Row> = Omit<Row, Name> & Partial<Pick<Row, Name>>

/** The principals of all fleets. A member is a principal of kind human that is not removed. */
export interface PrincipalStore {
  /** `conflict` when a member of the fleet has the email. */
  create(principal: NewPrincipal): Promise<void>
  get(principalId: string): Promise<PrincipalRow | undefined>
  /** Whose key it is. */
  ofKey(keyId: string): Promise<PrincipalRow | undefined>
  /** The members of one fleet in the order they joined, then by id. `total` counts them all. */
  members(fleetId: string, page: { offset: number; limit: number }): Promise<{ items: PrincipalRow[]; total: number }>
  /** The member of this email, in any letter case. */
  memberByEmail(fleetId: string, email: string): Promise<PrincipalRow | undefined>
  /** Who signs in with this email: of the fleet of this slug or id, or else of the oldest fleet; none of a disabled one. */
  forSignIn(email: string, fleet?: string): Promise<PrincipalRow | undefined>
  /** The membership in a fleet that is not disabled of the person who signs in as `personId`. */
  ofPerson(personId: string, fleetId: string): Promise<PrincipalRow | undefined>
  /**
   * A lower role ends what the member has made that lets others in: their keys, sessions and codes, invitations, enrolment
   * tokens. Gives the ids of keys and sessions that end. `conflict` when the fleet would be left without an owner, or the
   * email is taken.
   */
  changeMember(
    principal: Pick<PrincipalRow, 'id' | 'fleetId'>,
    change: Partial<Pick<PrincipalRow, 'name' | 'role' | 'email' | 'groups'>>,
  ): Promise<string[]>
  /**
   * Ends a membership with the keys and sessions of the member, and what he has made that lets others in. Gives the ids of
   * keys and sessions that end. `conflict` for the last owner, of this fleet or of another in use, in which he is by signing in here.
   */
  removeMember(principal: Pick<PrincipalRow, 'id' | 'fleetId'>, at: string): Promise<string[]>
  /** The fleet of a membership lets the person in again. */
  confirm(principalId: string, at: string): Promise<void>
  /** Somebody else than the person gets a way to sign in as him; never moves the time back. */
  controlChanged(principalId: string, at: string): Promise<void>
}

/** An API key of a principal. */
export interface KeyRow {
  readonly id: string
  readonly fleetId: string
  readonly principalId: string
  readonly name: string
  /** SHA-256 of the secret, hex. The secret itself is never stored. */
  readonly secretHash: string
  /** First characters, for people to tell keys apart. */
  readonly prefix: string
  readonly createdAt: string
  readonly expiresAt: string | null
  readonly lastUsedAt: string | null
  readonly revokedAt: string | null
  /** `session`: of a person who signed in. */
  readonly credential: 'key' | 'session'
  /** What it may do at most; null: all that its principal may. */
  readonly role: Role | null
  /** Null: all that its role may. */
  readonly scopes: readonly KeyScope[] | null
  /** From where it may be used, in CIDR notation; null: from anywhere. */
  readonly ipRanges: readonly string[] | null
  readonly maxTargetsPerRun: number | null
  readonly rotatedFrom: string | null
  /** The key of the operator or service that issued it: it can do no more than that one, and ends with it. */
  readonly parentId: string | null
  /** Who made it for its person, where that was somebody else: he may have it, too. */
  readonly lentById: string | null
  /** Of a session: where it was signed in. */
  readonly ip: string | null
  readonly userAgent: string | null
  /** When its fleet was disabled, with which it ended. */
  readonly fleetDisabledAt: string | null
}

/** A key as it is made; what is left out is not limited. */
export type NewKey = WithDefaults<
  KeyRow,
  | 'credential'
  | 'role'
  | 'scopes'
  | 'ipRanges'
  | 'maxTargetsPerRun'
  | 'rotatedFrom'
  | 'parentId'
  | 'lentById'
  | 'ip'
  | 'userAgent'
  | 'fleetDisabledAt'
>

/** Which keys a list is of. */
export interface KeyFilter {
  readonly credential?: KeyRow['credential']
  readonly principalId?: string
  /** Of this person, and of what acts for it. */
  readonly personId?: string
}

/** The API keys of all fleets, and the sessions of people who signed in. */
export interface KeyStore {
  create(key: NewKey): Promise<void>
  get(keyId: string): Promise<KeyRow | undefined>
  /** Of one fleet, newest first, then by id. `total` counts all that fit. */
  list(
    fleetId: string,
    page: KeyFilter & { offset: number; limit: number },
  ): Promise<{ items: KeyRow[]; total: number }>
  /** Adds the key that takes the place of another, which ends at `until`; what that one issued hangs on the new one. False: it had ended, or is a session. */
  rotate(key: NewKey & { readonly rotatedFrom: string }, until: string): Promise<boolean>
  /**
   * True when this call revoked it, false when it was revoked before or is not of this fleet. `conflict` when that would end
   * the last key of an owner, also when the last ones are revoked at once.
   */
  revoke(fleetId: string, keyId: string, at: string): Promise<boolean>
  /** Notes the last use; never moves it back. */
  touch(keyId: string, at: string): Promise<void>
}
