import {
  FleetSettings,
  type FleetSettingsChange,
  type InvitationIssue,
  InvitationIssued,
  InvitationList,
  type MemberAdd,
  type MemberChange,
  MemberInfo,
  MemberList,
  type OffsetQuery,
  type Role,
  SignInCode,
} from '@cmdop/protocol'
import { z } from 'zod'
import type { RestClient } from './rest-client.ts'

interface Cancellable {
  signal?: AbortSignal
}

/** `client.members`: the people of a fleet. A member is named by id or email. */
export class MembersNamespace {
  readonly #rest: RestClient
  readonly #fleetId: () => Promise<string>

  constructor(rest: RestClient, fleetId: () => Promise<string>) {
    this.#rest = rest
    this.#fleetId = fleetId
  }

  /** One page, in the order they joined. */
  async list(query: Partial<OffsetQuery> & Cancellable = {}): Promise<MemberList> {
    const { signal, ...page } = query
    return this.#rest.call({
      method: 'GET',
      path: await this.#path('/members'),
      query: page,
      answer: MemberList,
      signal,
    })
  }

  /** Every member, page by page as they are needed. */
  async *iter({ signal }: Cancellable = {}): AsyncGenerator<MemberInfo> {
    for (let offset = 0; ;) {
      const page = await this.list({ offset, ...(signal === undefined ? {} : { signal }) })
      yield* page.items
      offset += page.items.length
      if (page.items.length === 0 || offset >= page.total) return
    }
  }

  /** Invites somebody; `link` is shown only here, and works once. */
  async invite(invitation: InvitationIssue, { signal }: Cancellable = {}): Promise<InvitationIssued> {
    const path = await this.#path('/invitations')
    return this.#rest.call({ method: 'POST', path, body: invitation, answer: InvitationIssued, signal })
  }

  /** Invitations that may still be accepted, the newest first. */
  async invitations({ signal }: Cancellable = {}): Promise<InvitationList> {
    return this.#rest.call({
      method: 'GET',
      path: await this.#path('/invitations'),
      answer: InvitationList,
      signal,
    })
  }

  async revokeInvitation(invitationId: string, { signal }: Cancellable = {}): Promise<void> {
    const path = await this.#path(`/invitations/${encodeURIComponent(invitationId)}`)
    await this.#rest.call({ method: 'DELETE', path, answer: z.null(), signal })
  }

  /** Adds a member without an invitation; a code lets him in. */
  async add(member: MemberAdd, { signal }: Cancellable = {}): Promise<MemberInfo> {
    return this.#rest.call({
      method: 'POST',
      path: await this.#path('/members'),
      body: member,
      answer: MemberInfo,
      signal,
    })
  }

  /** Changes role, groups, email or name; what runs and is allowed no more ends within a second. */
  async update(member: string, change: MemberChange, { signal }: Cancellable = {}): Promise<MemberInfo> {
    const path = await this.#path(`/members/${encodeURIComponent(member)}`)
    return this.#rest.call({ method: 'PATCH', path, body: change, answer: MemberInfo, signal })
  }

  setRole(member: string, role: Role, options: Cancellable = {}): Promise<MemberInfo> {
    return this.update(member, { role }, options)
  }

  setGroups(member: string, groups: string[], options: Cancellable = {}): Promise<MemberInfo> {
    return this.update(member, { groups }, options)
  }

  /** Ends a membership at once, with keys, sessions and all that acts for the member. */
  async remove(member: string, { signal }: Cancellable = {}): Promise<void> {
    const path = await this.#path(`/members/${encodeURIComponent(member)}`)
    await this.#rest.call({ method: 'DELETE', path, answer: z.null(), signal })
  }

  /** A code with which the member signs in, once; shown only here. */
  async code(member: string, { signal }: Cancellable = {}): Promise<SignInCode> {
    const path = await this.#path(`/members/${encodeURIComponent(member)}/code`)
    return this.#rest.call({ method: 'POST', path, answer: SignInCode, signal })
  }

  /** Removes the authenticator that a member has lost. */
  async resetTotp(member: string, { signal }: Cancellable = {}): Promise<void> {
    const path = await this.#path(`/members/${encodeURIComponent(member)}/totp`)
    await this.#rest.call({ method: 'DELETE', path, answer: z.null(), signal })
  }

  /** What the fleet decides for all of its members. */
  async settings({ signal }: Cancellable = {}): Promise<FleetSettings> {
    return this.#rest.call({
      method: 'GET',
      path: await this.#path('/settings'),
      answer: FleetSettings,
      signal,
    })
  }

  async configure(change: FleetSettingsChange, { signal }: Cancellable = {}): Promise<FleetSettings> {
    const path = await this.#path('/settings')
    return this.#rest.call({ method: 'PATCH', path, body: change, answer: FleetSettings, signal })
  }

  async #path(rest: string): Promise<string> {
    return `/api/fleets/${encodeURIComponent(await this.#fleetId())}${rest}`
  }
}
