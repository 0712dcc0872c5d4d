import { type CreateTableBuilder, type Kysely, sql } from 'kysely'

type Table = CreateTableBuilder<string, string>

/** Skills: what they are, their versions and files, and what people make of them. */
export async function createSkills(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('skills')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('fleet_id', 'text', (column) => column.notNull().references('fleets.id'))
    .$call(withTexts('slug', 'name', 'short_description', 'author_id', 'author_name', 'visibility', 'status', 'tags'))
    .$call(withTexts('created_at', 'updated_at'))
    .$call(withOptionalTexts('category', 'icon', 'cover', 'repository_url', 'latest_version', 'publication'))
    .$call(withCounts('install_count', 'download_count', 'star_count', 'review_count'))
    .addUniqueConstraint('skills_slug', ['fleet_id', 'slug'])
    .execute()
  await db.schema
    .createIndex('skills_public')
    .on('skills')
    .column('slug')
    .unique()
    .where(sql.ref('visibility'), '=', sql.lit('public'))
    .execute()
  await createVersions(db)
  await createOpinions(db)
}

async function createVersions(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('skill_versions')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .$call(ofSkill)
    .$call(withTexts('version', 'sha256', 'manifest', 'skill_md', 'author_id', 'created_at'))
    .$call(withOptionalTexts('readme', 'changelog'))
    .$call(withCounts('size'))
    .addUniqueConstraint('skill_versions_once', ['skill_id', 'version'])
    .execute()
  await db.schema
    .createTable('skill_files')
    .addColumn('version_id', 'text', (column) => column.notNull().references('skill_versions.id').onDelete('cascade'))
    .$call(withTexts('path', 'sha256', 'content'))
    .$call(withCounts('size', 'executable'))
    .addPrimaryKeyConstraint('skill_files_key', ['version_id', 'path'])
    .execute()
  // Stays when a skill is removed: what a version is never changes.
  await db.schema
    .createTable('skill_digests')
    .addColumn('fleet_id', 'text', (column) => column.notNull().references('fleets.id'))
    .$call(withTexts('slug', 'version', 'sha256'))
    .addPrimaryKeyConstraint('skill_digests_key', ['fleet_id', 'slug', 'version'])
    .execute()
  // Stays, too: under a name that others have installed from, no other fleet ever publishes.
  await db.schema
    .createTable('skill_public_slugs')
    .addColumn('slug', 'text', (column) => column.primaryKey())
    .addColumn('fleet_id', 'text', (column) => column.notNull().references('fleets.id'))
    .execute()
}

async function createOpinions(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('skill_tags')
    .$call(ofSkill)
    .$call(withTexts('tag'))
    .addPrimaryKeyConstraint('skill_tags_key', ['skill_id', 'tag'])
    .execute()
  await db.schema.createIndex('skill_tags_tag').on('skill_tags').column('tag').execute()
  for (const [name, ...texts] of [
    ['skill_stars', 'principal_id', 'created_at'],
    ['skill_installs', 'principal_id', 'version', 'created_at', 'updated_at'],
  ] as const)
    await db.schema
      .createTable(name)
      .$call(ofSkill)
      .$call(withTexts(...texts))
      .addPrimaryKeyConstraint(`${name}_key`, ['skill_id', 'principal_id'])
      .execute()
  await db.schema
    .createTable('skill_reviews')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .$call(ofSkill)
    .$call(withTexts('fleet_id', 'author_id', 'author_name', 'body', 'created_at', 'updated_at'))
    .addUniqueConstraint('skill_reviews_once', ['skill_id', 'author_id'])
    .execute()
}

function ofSkill(table: Table): Table {
  return table.addColumn('skill_id', 'text', (column) => column.notNull().references('skills.id').onDelete('cascade'))
}

function withTexts(...names: string[]): (table: Table) => Table {
  return (table) => names.reduce((built, name) => built.addColumn(name, 'text', (column) => column.notNull()), table)
}

function withOptionalTexts(...names: string[]): (table: Table) => Table {
  return (table) => names.reduce((built, name) => built.addColumn(name, 'text'), table)
}

function withCounts(...names: string[]): (table: Table) => Table {
  return (table) =>
    names.reduce((built, name) => built.addColumn(name, 'integer', (column) => column.notNull().defaultTo(0)), table)
}
