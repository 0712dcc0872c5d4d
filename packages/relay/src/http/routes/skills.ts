import {
  SkillCategoryList,
  skillCategories,
  SkillDetail,
  SkillGetQuery,
  SkillInstall,
  SkillInstallQuery,
  SkillListPage,
  SkillListQuery,
  SkillMyQuery,
  SkillPageQuery,
  SkillTagList,
  SkillVersionList,
  SkillWordQuery,
} from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Caller } from '../../auth/authenticate.ts'
import { bodyOf, findSkill, installRecord } from '../../skills/skill-desk.ts'
import { categoryOf, detailOf, pageOf, placeOf, summaryOf, tagOf, versionOf } from '../../skills/skill-views.ts'
import type { SkillPart, SkillRow } from '../../store/skill-store.ts'
import { acceptApiKey, platformSecurity } from '../api-key.ts'
import { audited } from '../audited.ts'
import type { HttpContext } from '../context.ts'
import { guard } from '../guard.ts'

const SkillParams = z.object({ slug: z.string().min(1).max(64).describe('Slug of the skill') })
const security = platformSecurity

/** Reviews that a skill is shown with. */
const SHOWN_REVIEWS = 10

/** The registry of skills, for who looks for one and installs it. */
export function skillRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { skills } = context.store
  const summaries = async ({ principalId }: Caller, { rows, total }: SkillPart<SkillRow>) => {
    const starred = await skills.starred(
      principalId,
      rows.map(({ id }) => id),
    )
    return { total, rows: rows.map((row) => summaryOf(row, starred.has(row.id))) }
  }
  return async (app) => {
    acceptApiKey(app)
    app.get(
      '/skills/',
      {
        schema: {
          summary: 'Skills that your fleet sees',
          security,
          querystring: SkillListQuery,
          response: { 200: SkillListPage },
        },
      },
      async (request) => {
        const caller = await guard(context, request, 'skill.read', { machine: 'any' })
        const { category, tag, ...query } = request.query
        const found = await skills.list(caller.fleetId, { ...placeOf(query), category, tag })
        return pageOf(await summaries(caller, found), query, (summary) => summary)
      },
    )

    app.get(
      '/skills/my/',
      {
        schema: {
          summary: 'Skills that you have made',
          security,
          querystring: SkillMyQuery,
          response: { 200: SkillListPage },
        },
      },
      async (request) => {
        const caller = await guard(context, request, 'skill.read', { machine: 'any' })
        const found = await skills.list(caller.fleetId, { ...placeOf(request.query), authorId: caller.principalId })
        return pageOf(await summaries(caller, found), request.query, (summary) => summary)
      },
    )

    app.get(
      '/skills/:slug/',
      {
        schema: {
          summary: 'A skill with all that is said of it',
          security,
          params: SkillParams,
          querystring: SkillGetQuery,
          response: { 200: SkillDetail },
        },
      },
      async (request) => {
        const caller = await guard(context, request, 'skill.read', { machine: 'any' })
        const skill = await findSkill(skills, caller, request.params.slug)
        const place = { offset: 0, limit: SHOWN_REVIEWS, by: 'created_at', descending: true }
        const { latestVersion } = skill
        const [version, reviews, starred] = await Promise.all([
          latestVersion === null ? undefined : skills.getVersion(skill.id, latestVersion),
          skills.reviews(skill.id, place),
          skills.starred(caller.principalId, [skill.id]),
        ])
        const body = bodyOf(version?.skillMd)
        return detailOf(skill, { version, body, reviews: reviews.rows, isStarred: starred.has(skill.id) })
      },
    )

    app.get(
      '/skills/:slug/versions/',
      {
        schema: {
          summary: 'Its versions, the newest first',
          security,
          params: SkillParams,
          querystring: SkillPageQuery,
          response: { 200: SkillVersionList },
        },
      },
      async (request) => {
        const caller = await guard(context, request, 'skill.read', { machine: 'any' })
        const { id, slug } = await findSkill(skills, caller, request.params.slug)
        const { page, page_size: limit } = request.query
        const found = await skills.versions(id, { offset: (page - 1) * limit, limit })
        return pageOf(found, request.query, (row) => versionOf(slug, row))
      },
    )

    app.post(
      '/skills/:slug/install/',
      {
        schema: {
          summary: 'All that it takes to install a version',
          security,
          params: SkillParams,
          querystring: SkillInstallQuery,
          response: { 200: SkillInstall },
        },
      },
      async (request) => {
        const act = { action: 'skill.install', anyMachine: true, subject: `skill:${request.params.slug} read` } as const
        return audited(context, request, act, async (caller, note) => {
          const skill = await findSkill(skills, caller, request.params.slug)
          const from = context.publicUrl()
          const record = await installRecord(skills, caller, { skill, version: request.query.version, from })
          note({ subject: `skill:${record.slug} read ${record.version} sha256:${record.sha256}` })
          return record
        })
      },
    )

    app.get(
      '/categories/',
      {
        schema: {
          summary: 'What skills are about',
          security,
          querystring: SkillWordQuery,
          response: { 200: SkillCategoryList },
        },
      },
      async (request) => {
        await guard(context, request, 'skill.read', { machine: 'any' })
        const { offset, limit, descending, search = '' } = placeOf(request.query)
        const all = skillCategories.flatMap((slug) => categoryOf(slug) ?? [])
        const found = all
          .filter(({ slug, name }) => `${slug} ${name}`.toLowerCase().includes(search.toLowerCase()))
          .toSorted((one, other) => (one.name < other.name ? -1 : 1) * (descending ? -1 : 1))
        return pageOf({ rows: found.slice(offset, offset + limit), total: found.length }, request.query, (each) => each)
      },
    )

    app.get(
      '/tags/',
      {
        schema: {
          summary: 'Words that skills are found by',
          security,
          querystring: SkillWordQuery,
          response: { 200: SkillTagList },
        },
      },
      async (request) => {
        const { fleetId } = await guard(context, request, 'skill.read', { machine: 'any' })
        const found = await skills.tags(fleetId, placeOf(request.query))
        return pageOf(found, request.query, ({ tag, count }) => ({ ...tagOf(tag), skill_count: count }))
      },
    )
  }
}
