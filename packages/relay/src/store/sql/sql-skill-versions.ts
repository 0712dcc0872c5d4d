import { CmdopError } from '@cmdop/protocol'
import type { Selectable } from 'kysely'
import type { SkillStore, SkillVersionRow } from '../skill-store.ts'
import { storedManifest } from './sql-skill-parts.ts'
import type { Database, Tables } from './tables.ts'

/** The versions of skills, in SQL. */
export function versionsIn(
  db: Database,
): Pick<SkillStore, 'addVersion' | 'getVersion' | 'files' | 'versionNames' | 'versions'> {
  return {
    addVersion: (skill, version, becomes) =>
      db.transaction().execute((transaction) => addVersion(transaction, skill, { version, becomes })),
    getVersion: async (skillId, version) => {
      const found = db.selectFrom('skillVersions').selectAll().where('skillId', '=', skillId)
      const row = await found.where('version', '=', version).executeTakeFirst()
      return row === undefined ? undefined : fromTable(row)
    },
    files: async (versionId) => {
      const rows = db
        .selectFrom('skillFiles')
        .select(['path', 'sha256', 'size', 'executable', 'content'])
        .where('versionId', '=', versionId)
        .orderBy('path')
      return (await rows.execute()).map(({ executable, ...row }) => ({ ...row, executable: executable === 1 }))
    },
    versionNames: async (skillId) => {
      const rows = await db.selectFrom('skillVersions').select('version').where('skillId', '=', skillId).execute()
      return rows.map(({ version }) => version)
    },
    versions: async (skillId, { offset, limit }) => {
      const found = db.selectFrom('skillVersions').where('skillId', '=', skillId)
      const [rows, { total }] = await Promise.all([
        found.selectAll().orderBy('createdAt', 'desc').orderBy('id').limit(limit).offset(offset).execute(),
        found.select((eb) => eb.fn.countAll().as('total')).executeTakeFirstOrThrow(),
      ])
      return { rows: rows.map(fromTable), total: Number(total) }
    },
  }
}

type AddVersion = Parameters<SkillStore['addVersion']>

async function addVersion(
  db: Database,
  { id: skillId, fleetId, slug }: AddVersion[0],
  { version: given, becomes }: { version: AddVersion[1]; becomes: AddVersion[2] },
): Promise<'added' | 'same'> {
  const { files, ...row } = given
  const { version, sha256, createdAt: at } = row
  const before = await lockedNames(db, skillId)
  const { tags, ...changes } = becomes(before)
  const digest = { fleetId, slug, version, sha256 }
  await db
    .insertInto('skillDigests')
    .values(digest)
    .onConflict((on) => on.columns(['fleetId', 'slug', 'version']).doNothing())
    .execute()
  const known = db.selectFrom('skillDigests').select('sha256').where('fleetId', '=', fleetId)
  const first = await known.where('slug', '=', slug).where('version', '=', version).executeTakeFirstOrThrow()
  if (first.sha256 !== sha256) throw wasOther(slug, version)
  const publication = JSON.stringify({ version, sha256, errors: [], at })
  if (before.includes(version)) {
    await db.updateTable('skills').set({ publication }).where('id', '=', skillId).execute()
    return 'same'
  }
  await db
    .insertInto('skillVersions')
    .values({ ...row, manifest: JSON.stringify(row.manifest) })
    .execute()
  for (const { executable, ...file } of files)
    await db
      .insertInto('skillFiles')
      .values({ ...file, versionId: row.id, executable: Number(executable) })
      .execute()
  await db
    .updateTable('skills')
    .set({ ...changes, publication, updatedAt: at })
    .where('id', '=', skillId)
    .execute()
  // What was suspended stays so.
  await db
    .updateTable('skills')
    .set({ status: 'published' })
    .where('id', '=', skillId)
    .where('status', '=', 'draft')
    .execute()
  if (tags !== undefined) await putTags(db, skillId, tags)
  return 'added'
}

/** The versions that there are. Who comes second waits here, and then sees what the first did. */
async function lockedNames(db: Database, skillId: string): Promise<string[]> {
  const locked = db.updateTable('skills').set((eb) => ({ slug: eb.ref('slug') }))
  const { numUpdatedRows } = await locked.where('id', '=', skillId).executeTakeFirst()
  if (numUpdatedRows === 0n)
    throw new CmdopError('not_found', 'The skill was deleted meanwhile; nothing was published.')
  const rows = await db.selectFrom('skillVersions').select('version').where('skillId', '=', skillId).execute()
  return rows.map(({ version }) => version)
}

async function putTags(db: Database, skillId: string, tags: readonly string[]): Promise<void> {
  await db
    .updateTable('skills')
    .set({ tags: JSON.stringify(tags) })
    .where('id', '=', skillId)
    .execute()
  await db.deleteFrom('skillTags').where('skillId', '=', skillId).execute()
  if (tags.length > 0)
    await db
      .insertInto('skillTags')
      .values(tags.map((tag) => ({ skillId, tag })))
      .execute()
}

function wasOther(slug: string, version: string): CmdopError {
  return new CmdopError(
    'conflict',
    `${slug} ${version} was published with other files. A version never changes: give this one another version.`,
    { details: { slug, version } },
  )
}

function fromTable({ manifest, ...row }: Selectable<Tables['skillVersions']>): SkillVersionRow {
  return { ...row, manifest: storedManifest(manifest) }
}
