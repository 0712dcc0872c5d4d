import { CmdopError, SkillIssue } from '@cmdop/protocol'
import { type Selectable, sql } from 'kysely'
import { z } from 'zod'
import type { SkillFilter, SkillRow, SkillStore } from '../skill-store.ts'
import { opinionsIn } from './sql-skill-opinions.ts'
import { contains, isSeenBy } from './sql-skill-parts.ts'
import { versionsIn } from './sql-skill-versions.ts'
import type { Database, Tables } from './tables.ts'

/** Names that a fleet may ever make public: they are never given back. */
const MAX_PUBLIC_SLUGS = 1000

const Tags = z.array(z.string())
const Publication = z.object({
  version: z.string().nullable(),
  sha256: z.string().nullable(),
  errors: z.array(SkillIssue),
  at: z.string(),
})

/** {@link SkillStore} in SQL. */
export function createSkillStore(db: Database): SkillStore {
  return { ...skillsIn(db), ...versionsIn(db), ...opinionsIn(db) }
}

function skillsIn(
  db: Database,
): Pick<SkillStore, 'create' | 'find' | 'list' | 'count' | 'update' | 'remove' | 'notePublication'> {
  return {
    create: async (skill) => {
      const blank = { shortDescription: '', visibility: 'private', status: 'draft', tags: '[]' } as const
      await db
        .insertInto('skills')
        .values({ ...skill, ...blank, updatedAt: skill.createdAt })
        .execute()
    },
    find: async (fleetId, slug) => {
      const rows = await db.selectFrom('skills').selectAll().where('slug', '=', slug).where(isSeenBy(fleetId)).execute()
      const row = rows.find((each) => each.fleetId === fleetId) ?? rows[0]
      return row === undefined ? undefined : fromTable(row)
    },
    list: async (fleetId, filter) => {
      const found = filtered(db, fleetId, filter)
      const [rows, total] = await Promise.all([
        found
          .selectAll('skills')
          .orderBy(sql.ref(filter.by), filter.descending ? 'desc' : 'asc')
          .orderBy('id')
          .limit(filter.limit)
          .offset(filter.offset)
          .execute(),
        found.select((eb) => eb.fn.countAll().as('total')).executeTakeFirstOrThrow(),
      ])
      return { rows: rows.map(fromTable), total: Number(total.total) }
    },
    count: async (fleetId) => {
      const counted = db.selectFrom('skills').select((eb) => eb.fn.countAll().as('total'))
      return Number((await counted.where('fleetId', '=', fleetId).executeTakeFirstOrThrow()).total)
    },
    update: (skillId, change) =>
      db.transaction().execute(async (transaction) => {
        const changed = transaction.updateTable('skills').set(change).where('id', '=', skillId)
        const row = await changed.returning(['fleetId', 'slug']).executeTakeFirst()
        if (row !== undefined && change.visibility === 'public') await reserve(transaction, row)
      }),
    remove: async (skillId) => {
      const { numDeletedRows } = await db.deleteFrom('skills').where('id', '=', skillId).executeTakeFirst()
      return numDeletedRows === 1n
    },
    notePublication: async (skillId, publication) => {
      const set = { publication: JSON.stringify(publication) }
      await db.updateTable('skills').set(set).where('id', '=', skillId).execute()
    },
  }
}

/** Makes the name that of the fleet for ever: what others have installed under it never becomes somebody else's. */
async function reserve(db: Database, row: { fleetId: string; slug: string }): Promise<void> {
  await db
    .insertInto('skillPublicSlugs')
    .values(row)
    .onConflict((on) => on.column('slug').doNothing())
    .execute()
  const reserved = db.selectFrom('skillPublicSlugs')
  const { fleetId } = await reserved.select('fleetId').where('slug', '=', row.slug).executeTakeFirstOrThrow()
  if (fleetId !== row.fleetId)
    throw new CmdopError('conflict', `The name ${row.slug} is that of a public skill of another fleet, or was.`)
  const { total } = await reserved
    .select((eb) => eb.fn.countAll().as('total'))
    .where('fleetId', '=', fleetId)
    .executeTakeFirstOrThrow()
  if (Number(total) > MAX_PUBLIC_SLUGS)
    throw new CmdopError(
      'conflict',
      `A fleet has had at most ${MAX_PUBLIC_SLUGS} public skills, deleted ones included.`,
    )
}

function filtered(db: Database, fleetId: string, { category, tag, authorId, search }: SkillFilter) {
  return db
    .selectFrom('skills')
    .where(isSeenBy(fleetId))
    .$if(authorId !== undefined, (query) => query.where('authorId', '=', authorId ?? '').where('fleetId', '=', fleetId))
    .$if(category !== undefined, (query) => query.where('category', '=', category ?? ''))
    .$if(tag !== undefined, (query) =>
      query.where('id', 'in', (eb) =>
        eb
          .selectFrom('skillTags')
          .select('skillId')
          .where('tag', '=', tag ?? ''),
      ),
    )
    .$if(search !== undefined, (query) =>
      query.where((eb) => eb.or(['slug', 'name', 'short_description'].map((column) => contains(column, search ?? '')))),
    )
}

function fromTable({ tags, publication, ...row }: Selectable<Tables['skills']>): SkillRow {
  return {
    ...row,
    tags: Tags.parse(JSON.parse(tags)),
    publication: publication === null ? null : Publication.parse(JSON.parse(publication)),
  }
}
