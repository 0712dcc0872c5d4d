import {
  FleetSettings,
  FleetSettingsChange,
  InvitationIssue,
  InvitationIssued,
  InvitationList,
  CmdopError,
  MemberAdd,
  MemberChange,
  MemberInfo,
  MemberList,
  OffsetQuery,
  SignInCode,
} from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { configureFleet } from '../../auth/fleets.ts'
import { assertMayGiveAll } from '../../auth/grants.ts'
import { addMember, assertSignsInHere, changeMember, memberInfo, noteControl, ranked } from '../../auth/members.ts'
import { createCode } from '../../login/codes.ts'
import { invitationSummary, invite } from '../../login/invitations.ts'
import type { Store } from '../../store/store.ts'
import { audited, digestOf } from '../audited.ts'
import type { HttpContext } from '../context.ts'
import { guard } from '../guard.ts'

const FleetParams = z.object({ fleet: z.string().max(64).describe('Id of the fleet') })
const MemberParams = z.object({
  fleet: z.string().max(64).describe('Id of the fleet'),
  user: z.string().max(254).describe('Id or email address of the member'),
})
const InvitationParams = z.object({
  fleet: z.string().max(64).describe('Id of the fleet'),
  invitation: z.string().max(64).describe('Id of the invitation'),
})

/** The people of a fleet, who is invited, and what the fleet decides for all of them. */
export function memberRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, bus } = context
  const changed = async (principalId: string, ended: readonly string[] = []) => {
    await bus.publish({ type: 'principal-changed', principalId })
    for (const keyId of ended) await bus.publish({ type: 'key-revoked', keyId })
  }
  return async (app) => {
    app.get(
      '/api/fleets/:fleet/members',
      {
        schema: {
          summary: 'Members of a fleet',
          params: FleetParams,
          querystring: OffsetQuery,
          response: { 200: MemberList },
        },
      },
      async (request) => {
        const { fleetId } = await guard(context, request, 'member.list', request.params.fleet)
        const { offset, per_page } = request.query
        const { items, total } = await store.principals.members(fleetId, { offset, limit: per_page })
        return { items: await Promise.all(items.map((member) => memberInfo(store, member))), offset, per_page, total }
      },
    )

    app.post(
      '/api/fleets/:fleet/members',
      {
        schema: {
          summary: 'Add a member, who signs in with a code',
          params: FleetParams,
          body: MemberAdd,
          response: { 201: MemberInfo },
        },
      },
      async (request, reply) => {
        const act = { action: 'member.manage', fleetId: request.params.fleet } as const
        const member = await audited(context, request, act, async (caller, note) => {
          const added = await addMember(store, caller, request.body)
          note({ subject: `member:${added.id} add` })
          return added
        })
        return reply.status(201).send(await memberInfo(store, member))
      },
    )

    app.patch(
      '/api/fleets/:fleet/members/:user',
      {
        schema: {
          summary: 'Change the role, groups, email or name of a member',
          params: MemberParams,
          body: MemberChange,
          response: { 200: MemberInfo },
        },
      },
      async (request) => {
        const { fleet, user: reference } = request.params
        const subject = `member:${reference} ${Object.keys(request.body).toSorted().join(' ')}`.slice(0, 128)
        const act = { action: 'member.manage', fleetId: fleet, subject } as const
        return audited(context, request, act, async (caller) => {
          const { member, ended } = await changeMember(store, caller, { reference, change: request.body })
          await changed(member.id, ended)
          return memberInfo(store, member)
        })
      },
    )

    app.delete(
      '/api/fleets/:fleet/members/:user',
      {
        schema: {
          summary: 'Remove a member, with keys, sessions and all that acts for him, at once',
          params: MemberParams,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { fleet, user } = request.params
        const act = { action: 'member.manage', fleetId: fleet, subject: `member:${user} remove` } as const
        await audited(context, request, act, async (caller) => {
          const member = await ranked(store, caller, user)
          await changed(member.id, await store.principals.removeMember(member, new Date().toISOString()))
        })
        return reply.status(204).send(null)
      },
    )

    app.post(
      '/api/fleets/:fleet/members/:user/code',
      {
        schema: {
          summary: 'A code with which a member signs in; it is shown once',
          params: MemberParams,
          response: { 201: SignInCode },
        },
      },
      async (request, reply) => {
        const { fleet, user } = request.params
        const act = { action: 'member.manage', fleetId: fleet, subject: `member:${user} code` } as const
        const code = await audited(context, request, act, async (caller) => {
          assertMayGiveAll(caller, { isPersonal: true })
          const member = await ranked(store, caller, user)
          assertSignsInHere(member)
          await noteControl(store, caller, member)
          await changed(member.id)
          const [lender = null] = caller.lenders
          return createCode(store, member, member.id === caller.principalId ? lender : caller.principalId)
        })
        return reply.status(201).send(code)
      },
    )

    app.delete(
      '/api/fleets/:fleet/members/:user/totp',
      {
        schema: {
          summary: 'Remove the authenticator that a member has lost',
          params: MemberParams,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { fleet, user } = request.params
        const act = { action: 'member.manage', fleetId: fleet, subject: `member:${user} totp` } as const
        await audited(context, request, act, async (caller) => {
          const member = await ranked(store, caller, user)
          assertSignsInHere(member)
          await noteControl(store, caller, member)
          await store.totp.remove(member.id)
          await changed(member.id)
        })
        return reply.status(204).send(null)
      },
    )

    addInvitationRoutes(app, context)
    addSettingsRoutes(app, context)
  }
}

type App = Parameters<FastifyPluginAsyncZod>[0]

function addInvitationRoutes(app: App, context: HttpContext): void {
  const { store } = context
  app.post(
    '/api/fleets/:fleet/invitations',
    {
      schema: {
        summary: 'Invite somebody by a link; it is shown once',
        params: FleetParams,
        body: InvitationIssue,
        response: { 201: InvitationIssued },
      },
    },
    async (request, reply) => {
      const act = { action: 'member.manage', fleetId: request.params.fleet } as const
      const { row, token } = await audited(context, request, act, async (caller, note) => {
        const made = await invite(store, caller, request.body)
        note({ subject: `invitation:${made.row.id}` })
        return made
      })
      const link = `${request.protocol}://${request.host}/join#${token}`
      return reply.status(201).send({ ...invitationSummary(row), link, token })
    },
  )

  app.get(
    '/api/fleets/:fleet/invitations',
    { schema: { summary: 'Invitations that are open', params: FleetParams, response: { 200: InvitationList } } },
    async (request) => {
      const { fleetId } = await guard(context, request, 'member.list', request.params.fleet)
      return { items: (await store.invitations.open(fleetId, new Date().toISOString())).map(invitationSummary) }
    },
  )

  app.delete(
    '/api/fleets/:fleet/invitations/:invitation',
    { schema: { summary: 'Revoke an invitation', params: InvitationParams, response: { 204: z.null() } } },
    async (request, reply) => {
      const { fleet, invitation } = request.params
      const act = { action: 'member.manage', fleetId: fleet, subject: `invitation:${invitation} revoke` } as const
      await audited(context, request, act, async ({ fleetId }) => {
        const row = await store.invitations.get(invitation)
        if (row?.fleetId !== fleetId) throw new CmdopError('not_found', 'There is no such invitation in your fleet.')
        await store.invitations.revoke(fleetId, invitation, new Date().toISOString())
      })
      return reply.status(204).send(null)
    },
  )
}

function addSettingsRoutes(app: App, context: HttpContext): void {
  const { store } = context
  app.get(
    '/api/fleets/:fleet/settings',
    { schema: { summary: 'Settings of a fleet', params: FleetParams, response: { 200: FleetSettings } } },
    async (request) => {
      const { fleetId } = await guard(context, request, 'member.list', request.params.fleet)
      return settingsOf(store, fleetId)
    },
  )

  app.patch(
    '/api/fleets/:fleet/settings',
    {
      schema: {
        summary: 'Change the settings of a fleet',
        params: FleetParams,
        body: FleetSettingsChange,
        response: { 200: FleetSettings },
      },
    },
    async (request) => {
      const { mfa_required: mfaRequired, four_eyes: fourEyes } = request.body
      const act = {
        action: 'fleet.configure',
        fleetId: request.params.fleet,
        subject: `settings:${Object.keys(request.body).toSorted().join(' ')}`,
        digest: digestOf(request.body),
      } as const
      return audited(context, request, act, async ({ fleetId }) => {
        await configureFleet(context, fleetId, { mfaRequired, fourEyes })
        return settingsOf(store, fleetId)
      })
    },
  )
}

async function settingsOf(store: Store, fleetId: string): Promise<FleetSettings> {
  const settings = await store.fleets.settings(fleetId)
  if (settings === undefined) throw new CmdopError('not_found', 'There is no such fleet.')
  return { mfa_required: settings.mfaRequired, four_eyes: settings.fourEyes }
}
