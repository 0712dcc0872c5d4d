import * as wire from '@cmdop/protocol'
import { z } from 'zod'
import type { Repeatable } from './cancellable.ts'
import { FleetPaths, type InFleet } from './in-fleet.ts'
import type {
  FleetSettings,
  InvitationIssued,
  InvitationList,
  InvitationSummary,
  MemberInfo,
  MemberList,
  SignInCode,
} from './resources.ts'
import { type FromWire, toQuery, toWire } from './wire-names.ts'
import { itemsOf, offsetPages, onePage } from './pages.ts'
import type { RestClient } from './rest-client.ts'

/** Members on a page, see `OffsetQuery` of `@cmdop/protocol`. */
type MemberQuery = Omit<Partial<FromWire<wire.OffsetQuery>>, 'offset'>

/** `client.members`: the people of a fleet. A member is named by id or email. */
export class MembersNamespace {
  readonly #rest: RestClient
  readonly #paths: FleetPaths

  constructor(rest: RestClient, fleetId: () => Promise<string>) {
    this.#rest = rest
    this.#paths = new FleetPaths(fleetId)
  }

  /** One page, in the order they joined. */
  async list(query: Partial<FromWire<wire.OffsetQuery>> & InFleet = {}): Promise<MemberList> {
    const { signal, fleetId, ...given } = query
    return this.#rest.call({
      method: 'GET',
      path: await this.#paths.of({ fleetId }, '/members'),
      query: toQuery(wire.OffsetQuery, given),
      answer: wire.MemberList,
      signal,
    })
  }

  /** Every member, page by page as they are needed. */
  iter(query: MemberQuery & InFleet = {}): AsyncGenerator<MemberInfo> {
    return itemsOf(this.pages(query), ({ userId }) => userId, query)
  }

  /** Every page. Ends with the last one. */
  pages(query: MemberQuery & InFleet = {}): AsyncGenerator<MemberList> {
    return offsetPages((offset) => this.list({ ...query, offset }))
  }

  /** Invites somebody; `link` is shown only here, and works once. */
  async invite(
    invitation: FromWire<wire.InvitationIssue>,
    { signal, fleetId, idempotencyKey }: Repeatable & InFleet = {},
  ): Promise<InvitationIssued> {
    const path = await this.#paths.of({ fleetId }, '/invitations')
    return this.#rest.call({
      method: 'POST',
      path,
      body: toWire(wire.InvitationIssue, invitation),
      answer: wire.InvitationIssued,
      signal,
      idempotencyKey,
    })
  }

  /** Invitations that may still be accepted, the newest first. */
  async invitations({ signal, fleetId }: InFleet = {}): Promise<InvitationList> {
    return this.#rest.call({
      method: 'GET',
      path: await this.#paths.of({ fleetId }, '/invitations'),
      answer: wire.InvitationList,
      signal,
    })
  }

  /** Each of them. */
  iterInvitations(options: InFleet = {}): AsyncGenerator<InvitationSummary> {
    return itemsOf(this.pagesInvitations(options), ({ id }) => id, options)
  }

  /** Every page: all are on one. */
  pagesInvitations(options: InFleet = {}): AsyncGenerator<InvitationList> {
    return onePage(() => this.invitations(options))
  }

  async revokeInvitation(invitationId: string, { signal, fleetId }: InFleet = {}): Promise<void> {
    const path = await this.#paths.of({ fleetId }, `/invitations/${encodeURIComponent(invitationId)}`)
    await this.#rest.call({ method: 'DELETE', path, answer: z.null(), signal })
  }

  /** Adds a member without an invitation; a code lets him in. */
  async add(
    member: FromWire<wire.MemberAdd>,
    { signal, fleetId, idempotencyKey }: Repeatable & InFleet = {},
  ): Promise<MemberInfo> {
    return this.#rest.call({
      method: 'POST',
      path: await this.#paths.of({ fleetId }, '/members'),
      body: toWire(wire.MemberAdd, member),
      answer: wire.MemberInfo,
      signal,
      idempotencyKey,
    })
  }

  /** Changes role, groups, email or name; what runs and is allowed no more ends within a second. */
  async update(
    member: string,
    change: FromWire<wire.MemberChange>,
    { signal, fleetId, idempotencyKey }: Repeatable & InFleet = {},
  ): Promise<MemberInfo> {
    const path = await this.#paths.of({ fleetId }, `/members/${encodeURIComponent(member)}`)
    return this.#rest.call({
      method: 'PATCH',
      path,
      body: toWire(wire.MemberChange, change),
      answer: wire.MemberInfo,
      signal,
      idempotencyKey,
    })
  }

  setRole(member: string, role: wire.Role, options: InFleet = {}): Promise<MemberInfo> {
    return this.update(member, { role }, options)
  }

  setGroups(member: string, groups: string[], options: InFleet = {}): Promise<MemberInfo> {
    return this.update(member, { groups }, options)
  }

  /** Ends a membership at once, with keys, sessions and all that acts for the member. */
  async remove(member: string, { signal, fleetId, idempotencyKey }: Repeatable & InFleet = {}): Promise<void> {
    const path = await this.#paths.of({ fleetId }, `/members/${encodeURIComponent(member)}`)
    await this.#rest.call({ method: 'DELETE', path, answer: z.null(), signal, idempotencyKey })
  }

  /** A code with which the member signs in, once; shown only here. */
  async code(member: string, { signal, fleetId }: InFleet = {}): Promise<SignInCode> {
    const path = await this.#paths.of({ fleetId }, `/members/${encodeURIComponent(member)}/code`)
    return this.#rest.call({ method: 'POST', path, answer: wire.SignInCode, signal })
  }

  /** Removes the authenticator that a member has lost. */
  async resetTotp(member: string, { signal, fleetId }: InFleet = {}): Promise<void> {
    const path = await this.#paths.of({ fleetId }, `/members/${encodeURIComponent(member)}/totp`)
    await this.#rest.call({ method: 'DELETE', path, answer: z.null(), signal })
  }

  /** What the fleet decides for all of its members. */
  async settings({ signal, fleetId }: InFleet = {}): Promise<FleetSettings> {
    return this.#rest.call({
      method: 'GET',
      path: await this.#paths.of({ fleetId }, '/settings'),
      answer: wire.FleetSettings,
      signal,
    })
  }

  async configure(
    change: FromWire<wire.FleetSettingsChange>,
    { signal, fleetId }: InFleet = {},
  ): Promise<FleetSettings> {
    const path = await this.#paths.of({ fleetId }, '/settings')
    return this.#rest.call({
      method: 'PATCH',
      path,
      body: toWire(wire.FleetSettingsChange, change),
      answer: wire.FleetSettings,
      signal,
    })
  }
}
