import {
  SkillCreate,
  SkillCreated,
  SkillPublish,
  SkillPublished,
  SkillPublishStatus,
  SkillReview,
  SkillReviewPage,
  SkillReviewQuery,
  SkillReviewWrite,
  SkillStar,
  SkillUpdate,
  SkillUpdated,
} from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { newId } from '../../auth/secrets.ts'
import { publishSkill } from '../../skills/publish-skill.ts'
import { createSkill, findOwnSkill, findSkill, updateSkill } from '../../skills/skill-desk.ts'
import { pageOf, placeOf, publicationOf, reviewOf, updatedOf } from '../../skills/skill-views.ts'
import { acceptApiKey, platformSecurity } from '../api-key.ts'
import { audited, digestOf } from '../audited.ts'
import type { HttpContext } from '../context.ts'
import { guard } from '../guard.ts'

const SkillParams = z.object({ slug: z.string().min(1).max(64).describe('Slug of the skill') })
const security = platformSecurity

/** Bytes of what is published at most: files in base64, and JSON around them. */
const PUBLISH_LIMIT_BYTES = 4 * 1024 * 1024

const publishing = (slug: string, what: string) =>
  ({ action: 'skill.publish', subject: `skill:${slug} ${what}` }) as const
const reviewing = (slug: string, what: string) =>
  ({ action: 'skill.review', subject: `skill:${slug} ${what}` }) as const

/** The registry of skills, for who makes them, and who says what they are worth. */
export function skillAuthorRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { skills } = context.store
  return async (app) => {
    acceptApiKey(app)
    app.post(
      '/skills/',
      { schema: { summary: 'Make an empty skill', security, body: SkillCreate, response: { 201: SkillCreated } } },
      async (request, reply) => {
        const made = await audited(context, request, { action: 'skill.publish' }, async (caller, note) => {
          const { id, slug, name } = await createSkill(skills, caller, request.body.name)
          note({ subject: `skill:${slug} create` })
          return { id, slug, name }
        })
        return reply.status(201).send(made)
      },
    )

    app.patch(
      '/skills/:slug/',
      {
        schema: {
          summary: 'Change what is said of it',
          security,
          params: SkillParams,
          body: SkillUpdate,
          response: { 200: SkillUpdated },
        },
      },
      async (request) => {
        const act = { ...publishing(request.params.slug, 'update'), digest: digestOf(request.body) }
        return audited(context, request, act, async (caller) => {
          const skill = await findOwnSkill(skills, caller, request.params.slug)
          return updatedOf(await updateSkill(skills, caller, { skill, change: request.body }))
        })
      },
    )

    app.delete(
      '/skills/:slug/',
      {
        schema: { summary: 'Delete it with its versions', security, params: SkillParams, response: { 204: z.null() } },
      },
      async (request, reply) => {
        const { slug } = request.params
        await audited(context, request, publishing(slug, 'delete'), async (caller) => {
          await skills.remove((await findOwnSkill(skills, caller, slug)).id)
        })
        return reply.status(204).send(null)
      },
    )

    app.post(
      '/skills/:slug/publish/',
      {
        bodyLimit: PUBLISH_LIMIT_BYTES,
        schema: {
          summary: 'Publish a version of it',
          security,
          params: SkillParams,
          body: SkillPublish,
          response: { 202: SkillPublished },
        },
      },
      async (request, reply) => {
        const { slug } = request.params
        const published = await audited(context, request, publishing(slug, 'publish'), async (caller, note) => {
          const skill = await findOwnSkill(skills, caller, slug)
          const done = await publishSkill(skills, skill, { body: request.body, authorId: caller.principalId })
          note({ subject: `skill:${slug} publish ${done.version} sha256:${done.sha256}` })
          return done
        })
        return reply.status(202).send(published)
      },
    )

    app.get(
      '/skills/:slug/publish-status/',
      {
        schema: {
          summary: 'How the last publication went',
          security,
          params: SkillParams,
          response: { 200: SkillPublishStatus },
        },
      },
      async (request) => {
        const caller = await guard(context, request, 'skill.publish')
        return publicationOf(await findOwnSkill(skills, caller, request.params.slug))
      },
    )

    app.post(
      '/skills/:slug/star/',
      {
        schema: {
          summary: 'Star it, or take the star back',
          security,
          params: SkillParams,
          response: { 200: SkillStar },
        },
      },
      async (request) =>
        audited(context, request, reviewing(request.params.slug, 'star'), async (caller) => {
          const { id } = await findSkill(skills, caller, request.params.slug)
          const { starred, starCount } = await skills.toggleStar(id, caller.principalId, new Date().toISOString())
          return { starred, star_count: starCount }
        }),
    )

    app.get(
      '/skills/:slug/reviews/',
      {
        schema: {
          summary: 'What people say of it',
          security,
          params: SkillParams,
          querystring: SkillReviewQuery,
          response: { 200: SkillReviewPage },
        },
      },
      async (request) => {
        const caller = await guard(context, request, 'skill.read', { machine: 'any' })
        const { id } = await findSkill(skills, caller, request.params.slug)
        return pageOf(await skills.reviews(id, placeOf(request.query)), request.query, reviewOf)
      },
    )

    app.post(
      '/skills/:slug/reviews/',
      {
        schema: {
          summary: 'Say what it is worth; it takes the place of what you said before',
          security,
          params: SkillParams,
          body: SkillReviewWrite,
          response: { 200: SkillReview },
        },
      },
      async (request) => {
        const { slug } = request.params
        const act = { ...reviewing(slug, 'review'), digest: digestOf(request.body) }
        return audited(context, request, act, async (caller) => {
          const { id: skillId } = await findSkill(skills, caller, slug)
          const { fleetId, principalId: authorId, principal } = caller
          const at = new Date().toISOString()
          const written = {
            fleetId,
            authorId,
            authorName: principal.name,
            body: request.body.body,
            createdAt: at,
            updatedAt: at,
          }
          return reviewOf(await skills.review({ id: newId('skr_'), skillId, ...written }))
        })
      },
    )
  }
}
