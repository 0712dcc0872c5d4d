import { sql } from 'kysely'
import type { SkillStore } from '../skill-store.ts'
import { contains, isSeenBy } from './sql-skill-parts.ts'
import type { Database } from './tables.ts'

/** What people make of skills, in SQL. */
export function opinionsIn(
  db: Database,
): Pick<SkillStore, 'toggleStar' | 'starred' | 'noteInstall' | 'review' | 'reviews' | 'tags'> {
  return {
    toggleStar: (skillId, principalId, at) =>
      db.transaction().execute((transaction) => toggleStar(transaction, { skillId, principalId, createdAt: at })),
    starred: async (principalId, skillIds) => {
      if (skillIds.length === 0) return new Set()
      const found = db.selectFrom('skillStars').select('skillId').where('principalId', '=', principalId)
      return new Set((await found.where('skillId', 'in', skillIds).execute()).map(({ skillId }) => skillId))
    },
    noteInstall: (install) => db.transaction().execute((transaction) => noteInstall(transaction, install)),
    review: (review) => db.transaction().execute((transaction) => putReview(transaction, review)),
    reviews: async (skillId, { offset, limit, search, by, descending }) => {
      const found = db
        .selectFrom('skillReviews')
        .where('skillId', '=', skillId)
        .$if(search !== undefined, (query) => query.where(contains('body', search ?? '')))
      const [rows, { total }] = await Promise.all([
        found
          .selectAll()
          .orderBy(sql.ref(by), descending ? 'desc' : 'asc')
          .orderBy('id')
          .limit(limit)
          .offset(offset)
          .execute(),
        found.select((eb) => eb.fn.countAll().as('total')).executeTakeFirstOrThrow(),
      ])
      return { rows, total: Number(total) }
    },
    tags: async (fleetId, { offset, limit, search, descending }) => {
      const found = db
        .selectFrom('skillTags')
        .innerJoin('skills', 'skills.id', 'skillTags.skillId')
        .where('skills.id', 'in', (eb) => eb.selectFrom('skills').select('skills.id').where(isSeenBy(fleetId)))
        .$if(search !== undefined, (query) => query.where(contains('tag', search ?? '')))
      const [rows, { total }] = await Promise.all([
        found
          .select((eb) => ['tag' as const, eb.fn.countAll().as('count')])
          .groupBy('tag')
          .orderBy('tag', descending ? 'desc' : 'asc')
          .limit(limit)
          .offset(offset)
          .execute(),
        found.select((eb) => eb.fn.count('tag').distinct().as('total')).executeTakeFirstOrThrow(),
      ])
      return { rows: rows.map(({ tag, count }) => ({ tag, count: Number(count) })), total: Number(total) }
    },
  }
}

async function toggleStar(
  db: Database,
  row: { skillId: string; principalId: string; createdAt: string },
): Promise<{ starred: boolean; starCount: number }> {
  const { skillId, principalId } = row
  const { numDeletedRows } = await db
    .deleteFrom('skillStars')
    .where('skillId', '=', skillId)
    .where('principalId', '=', principalId)
    .executeTakeFirst()
  const starred = numDeletedRows === 0n
  if (starred)
    await db
      .insertInto('skillStars')
      .values(row)
      .onConflict((on) => on.columns(['skillId', 'principalId']).doNothing())
      .execute()
  const { starCount } = await db
    .updateTable('skills')
    .set({ starCount: sql<number>`(select count(*) from skill_stars where skill_id = ${skillId})` })
    .where('id', '=', skillId)
    .returning('starCount')
    .executeTakeFirstOrThrow()
  return { starred, starCount }
}

async function noteInstall(
  db: Database,
  { skillId, principalId, version, at }: Parameters<SkillStore['noteInstall']>[0],
): ReturnType<SkillStore['noteInstall']> {
  const before = db.selectFrom('skillInstalls').select('version').where('skillId', '=', skillId)
  const known = await before.where('principalId', '=', principalId).executeTakeFirst()
  const { createdAt: installedAt } = await db
    .insertInto('skillInstalls')
    .values({ skillId, principalId, version, createdAt: at, updatedAt: at })
    .onConflict((on) => on.columns(['skillId', 'principalId']).doUpdateSet({ version, updatedAt: at }))
    .returning('createdAt')
    .executeTakeFirstOrThrow()
  await db
    .updateTable('skills')
    .set((eb) => ({
      downloadCount: eb('downloadCount', '+', 1),
      installCount: sql<number>`(select count(*) from skill_installs where skill_id = ${skillId})`,
    }))
    .where('id', '=', skillId)
    .execute()
  return { installedAt, isFirst: known === undefined }
}

async function putReview(db: Database, review: Parameters<SkillStore['review']>[0]): ReturnType<SkillStore['review']> {
  const { skillId, body, updatedAt, authorName } = review
  const kept = await db
    .insertInto('skillReviews')
    .values(review)
    .onConflict((on) => on.columns(['skillId', 'authorId']).doUpdateSet({ body, updatedAt, authorName }))
    .returningAll()
    .executeTakeFirstOrThrow()
  await db
    .updateTable('skills')
    .set({ reviewCount: sql<number>`(select count(*) from skill_reviews where skill_id = ${skillId})` })
    .where('id', '=', skillId)
    .execute()
  return kept
}
