import { z } from 'zod'
import { Sha256 } from '../methods/sha256.ts'
import { ShownName } from '../names.ts'
import { SkillIssue } from './parse-skill.ts'
import { SkillFile, SkillFileEntry } from './skill-files.ts'
import { SkillName, SkillVersionName } from './skill-manifest.ts'
import { MAX_SKILL_FILES, MAX_SKILL_TEXT_BYTES } from './skill-paths.ts'

const instant = z.iso.datetime()
const text = (max: number) => z.string().max(max)
const link = z.url({ protocol: /^https$/ }).max(2048)

/** Versions of one skill at most. */
export const MAX_SKILL_VERSIONS = 100

/** Skills of a fleet at most. */
export const MAX_FLEET_SKILLS = 500

/** What skills are about, as the existing product names it. */
export const skillCategories = [
  'development',
  'code-review',
  'testing',
  'devops',
  'cloud',
  'databases',
  'git',
  'web',
  'apis',
  'data',
  'ai',
  'writing',
  'communication',
  'security',
  'productivity',
  'finance',
  'design',
  'mobile',
  'research',
  'other',
] as const
export const SkillCategoryName = z.enum(skillCategories)

/** `private`: of its own fleet only. `public`: of every fleet of the relay, once it is published. */
export const SkillVisibility = z.enum(['private', 'public'])
export type SkillVisibility = z.infer<typeof SkillVisibility>

/** `draft`: nothing is published, or it was taken back. `processing` is kept for registries that publish later. `suspended`: nobody may install it. */
export const SkillStatus = z.enum(['draft', 'processing', 'published', 'suspended'])
export type SkillStatus = z.infer<typeof SkillStatus>

/** A word that skills are found by. */
export const SkillTag = z.object({
  id: z.string().describe('The same as `slug`'),
  name: z.string().describe('The word, for people'),
  slug: z.string().describe('The word in addresses'),
  skill_count: z.number().int().optional().describe('Skills with it that the caller sees'),
})
export type SkillTag = z.infer<typeof SkillTag>

/** What skills are about. */
export const SkillCategory = z.object({
  id: z.string().describe('The same as `slug`'),
  name: z.string().describe('Name of the category, for people'),
  slug: SkillCategoryName.describe('Its name in addresses'),
})
export type SkillCategory = z.infer<typeof SkillCategory>

/** A skill, as lists show it. */
export const SkillSummary = z.object({
  id: z.string().describe('Id of the skill'),
  slug: z.string().describe('Its name in addresses; unique in its fleet, and among the public ones'),
  fleet_id: z.string().describe('Id of the fleet that publishes it; a name that was ever public stays its own'),
  name: z.string().describe('What people call it'),
  short_description: z.string().describe('What it is for: of its latest version. Empty before that.'),
  author: z.string().describe('Id of the principal that made it'),
  author_username: z.string().describe('What that principal is called'),
  category: SkillCategoryName.nullable().describe('Slug of its category; null: none'),
  category_name: z.string().nullable().describe('Name of its category; null: none'),
  tags: z.array(SkillTag).describe('Words that it is found by'),
  visibility: SkillVisibility.describe(
    '`private`: of its own fleet only; `public`: of every fleet of the relay, once it is published',
  ),
  status: SkillStatus.describe(
    '`draft`: nothing is published, or it was taken back; `suspended`: nobody may install it',
  ),
  is_verified: z.boolean().describe('Whether somebody has looked at it for everybody; nobody does that on this relay'),
  icon: z.string().nullable().describe('Address (https) of its icon; null: none'),
  cover: z.string().nullable().describe('Address (https) of its cover picture; null: none'),
  install_count: z.number().int().describe('Principals that have asked for its files'),
  star_count: z.number().int().describe('How many principals have starred it'),
  download_count: z.number().int().describe('Times that its files were asked for'),
  review_count: z.number().int().describe('How many reviews it has'),
  is_starred: z.boolean().describe('Whether the caller has starred it'),
  created_at: instant.describe('When it was made'),
  updated_at: instant.describe('When it was last changed'),
})
export type SkillSummary = z.infer<typeof SkillSummary>

/** What somebody says of a skill. */
export const SkillReview = z.object({
  id: z.string().describe('Id of the review'),
  author_handle: z.string().describe('Id of the principal that wrote it'),
  author_display_name: z.string().describe('What that principal is called'),
  author_avatar_url: z.string().nullable().describe('Always null: principals have no pictures'),
  body: z.string().describe('What it says, as plain text'),
  is_rewritten: z.boolean().describe('Whether a program has changed the words; never on this relay'),
  source: z.string().describe('Where it was written: `relay`'),
  upstream_created_at: instant.nullable().describe('When it was written where it comes from; null: here'),
  created_at: instant.describe('When it was first written'),
  updated_at: instant.describe('When it was last changed'),
})
export type SkillReview = z.infer<typeof SkillReview>

/** A version of a skill. It never changes. */
export const SkillVersion = z.object({
  id: z.string().describe('Id of the version'),
  skill: z.string().describe('Slug of its skill'),
  version: z.string().describe('Its number, by https://semver.org'),
  sha256: Sha256.describe('SHA-256 over its files: paths, contents and modes, hex'),
  size: z.number().int().describe('Bytes of its files together'),
  skill_md: z.string().describe('Text of its `SKILL.md`'),
  changelog: z.string().nullable().describe('What is new in it; null: nothing said'),
  model: z.string().nullable().describe('The model that it was written for; null: any'),
  created_at: instant.describe('When it was published'),
})
export type SkillVersion = z.infer<typeof SkillVersion>

/** A skill with all that is said of it. */
export const SkillDetail = SkillSummary.omit({ category: true, category_name: true }).extend({
  description: z.string().describe('The body of its `SKILL.md`, Markdown'),
  readme: z.string().nullable().describe('For people, Markdown; null: none'),
  category: SkillCategory.nullable().describe('What it is about; null: nothing said'),
  repository_url: z.string().nullable().describe('Address (https) of its source; null: none'),
  latest_version: z.string().nullable().describe('The highest version that is published; null: none'),
  reviews: z.array(SkillReview).describe('The newest reviews'),
})
export type SkillDetail = z.infer<typeof SkillDetail>

/** All that it takes to install a version. */
export const SkillInstall = z.object({
  slug: SkillName.describe('Its name in addresses'),
  fleet_id: z.string().describe('Id of the fleet that publishes it: yours, or another one'),
  version: SkillVersionName.describe('The version that these are the files of'),
  sha256: Sha256.describe(
    'SHA-256 over the files (paths, contents, modes), hex. Whoever installs it computes it again.',
  ),
  model: z.string().nullable().describe('The model that it was written for; null: any'),
  install_command: z.string().describe('The command that installs it, for people'),
  readme: z.string().nullable().describe('For people, Markdown; null: none'),
  skill_md: z.string().describe('Text of its `SKILL.md`'),
  files: z.array(SkillFile.extend(SkillFileEntry.shape)).max(MAX_SKILL_FILES).describe('All of its files'),
  packages: z
    .object({
      pip: z.array(z.string()).describe('Names of Python packages'),
      npm: z.array(z.string()).describe('Names of npm packages'),
    })
    .describe('Packages that it uses, by name. Nothing of it is installed.'),
  run_check: z
    .string()
    .nullable()
    .describe('A line for `/bin/sh -c` in its folder that ends with 0 where it works; null: none'),
  meta: z
    .object({
      installed_at: instant.describe('When the caller first asked for it'),
      installed_from: z.string().describe('The address of the registry'),
      installed_version: z.string().describe('The version that this answer holds'),
      updated_at: instant.nullable().describe('When the caller last asked for it; null: that was the first time'),
    })
    .describe('What the registry knows of this installation'),
})
export type SkillInstall = z.infer<typeof SkillInstall>

/** A numbered page of a list. */
export function skillPage<Item extends z.ZodType>(item: Item) {
  return z.object({
    count: z.number().int().describe('Items of all pages together'),
    page: z.number().int().describe('Number of this page, from 1'),
    pages: z.number().int().describe('How many pages there are; 1 where nothing is listed'),
    page_size: z.number().int().describe('Items in one page at most'),
    has_next: z.boolean().describe('Whether another page follows'),
    has_previous: z.boolean().describe('Whether a page is before this one'),
    next_page: z.number().int().nullable().describe('Number of the next page; null: there is none'),
    previous_page: z.number().int().nullable().describe('Number of the page before; null: there is none'),
    results: z.array(item).describe('The items of this page, in order'),
  })
}

export const SkillListPage = skillPage(SkillSummary)
export type SkillListPage = z.infer<typeof SkillListPage>
export const SkillReviewPage = skillPage(SkillReview)
export type SkillReviewPage = z.infer<typeof SkillReviewPage>
export const SkillVersionList = skillPage(SkillVersion)
export type SkillVersionList = z.infer<typeof SkillVersionList>
export const SkillCategoryList = skillPage(SkillCategory)
export type SkillCategoryList = z.infer<typeof SkillCategoryList>
export const SkillTagList = skillPage(SkillTag)
export type SkillTagList = z.infer<typeof SkillTagList>

/** Which page. */
export const SkillPageQuery = z.object({
  page: z.coerce.number().int().min(1).max(100_000).default(1).describe('Number of the page, from 1'),
  page_size: z.coerce.number().int().min(1).max(100).default(20).describe('Items in one page at most'),
})
export type SkillPageQuery = z.infer<typeof SkillPageQuery>

const search = text(200).optional()

/** By what skills are sorted; a `-` before it turns that round. */
export const skillOrderings = [
  'name',
  'created_at',
  'updated_at',
  'install_count',
  'star_count',
  'download_count',
] as const
const orderingBy = <const Name extends string>(names: readonly Name[]) =>
  z.enum(names.flatMap((name): (Name | `-${Name}`)[] => [name, `-${name}`]))

/** Query of `GET /skills/my/`. */
export const SkillMyQuery = SkillPageQuery.extend({
  search: search.describe('A part of slug, name or description'),
  ordering: orderingBy(skillOrderings)
    .default('-updated_at')
    .describe('What they are sorted by; a `-` before it turns that round'),
})
export type SkillMyQuery = z.infer<typeof SkillMyQuery>

/** Query of `GET /skills/`. */
export const SkillListQuery = SkillMyQuery.extend({
  category: SkillCategoryName.optional().describe('Only those of this category'),
  tag: SkillName.optional().describe('Only those with this tag, by its slug'),
  lang: text(16)
    .optional()
    .describe('A language; skills are in the language that they were written in, so it changes nothing here'),
})
export type SkillListQuery = z.infer<typeof SkillListQuery>

/** Query of `GET /skills/:slug/`. */
export const SkillGetQuery = z.object({
  lang: text(16)
    .optional()
    .describe('A language; skills are in the language that they were written in, so it changes nothing here'),
})
export type SkillGetQuery = z.infer<typeof SkillGetQuery>

/** Query of `POST /skills/:slug/install/`. */
export const SkillInstallQuery = z.object({
  version: SkillVersionName.optional().describe(
    'The version that is wanted. Default: the highest one that is no pre-release, else the highest one.',
  ),
})
export type SkillInstallQuery = z.infer<typeof SkillInstallQuery>

/** Query of `GET /skills/:slug/reviews/`. */
export const SkillReviewQuery = SkillPageQuery.extend({
  search: search.describe('A part of what they say'),
  ordering: orderingBy(['created_at', 'updated_at'])
    .default('-created_at')
    .describe('What they are sorted by; a `-` before it turns that round'),
})
export type SkillReviewQuery = z.infer<typeof SkillReviewQuery>

/** Query of `GET /categories/` and `GET /tags/`. */
export const SkillWordQuery = SkillPageQuery.extend({
  search: search.describe('A part of the name'),
  ordering: orderingBy(['name']).default('name').describe('What they are sorted by; a `-` before it turns that round'),
})
export type SkillWordQuery = z.infer<typeof SkillWordQuery>

/** Body of `POST /skills/`. */
export const SkillCreate = z.strictObject({
  name: ShownName.max(64)
    .regex(/[a-z0-9]/i, 'Expected a letter or a digit.')
    .describe(
      'What people call it. Its slug is made of it: in lower case, with dashes for what is no letter of ASCII and no digit.',
    ),
})
export type SkillCreate = z.input<typeof SkillCreate>

/** The answer: what is empty as yet. */
export const SkillCreated = z.object({
  id: z.string().describe('Id of the skill'),
  slug: z.string().describe('Its name in addresses'),
  name: z.string().describe('What people call it'),
})
export type SkillCreated = z.infer<typeof SkillCreated>

/** Body of `PATCH /skills/:slug/`. What is absent stays; `null` takes it away. */
export const SkillUpdate = z.strictObject({
  name: ShownName.max(64).optional().describe('What people call it from now on'),
  category: SkillCategoryName.nullable().optional().describe('Slug of its category; null takes it away'),
  visibility: SkillVisibility.optional().describe(
    '`private`: of its own fleet only; `public`: of every fleet of the relay',
  ),
  status: SkillStatus.exclude(['processing']).optional().describe('`published` only where there is a version'),
  icon: link.nullable().optional().describe('Address (https) of its icon; null takes it away'),
  cover: link.nullable().optional().describe('Address (https) of its cover picture; null takes it away'),
  repository_url: link.nullable().optional().describe('Address (https) of its source; null takes it away'),
})
export type SkillUpdate = z.infer<typeof SkillUpdate>

/** The answer: how all of these are now. */
export const SkillUpdated = z.object({
  slug: z.string().describe('Its name in addresses'),
  name: z.string().describe('What people call it'),
  category: SkillCategoryName.nullable().describe('Slug of its category; null: none'),
  visibility: SkillVisibility.describe('`private`: of its own fleet only; `public`: of every fleet of the relay'),
  status: SkillStatus.describe('Whether it is published'),
  icon: z.string().nullable().describe('Address (https) of its icon; null: none'),
  cover: z.string().nullable().describe('Address (https) of its cover picture; null: none'),
  repository_url: z.string().nullable().describe('Address (https) of its source; null: none'),
})
export type SkillUpdated = z.infer<typeof SkillUpdated>

/** Body of `POST /skills/:slug/publish/`. */
export const SkillPublish = z.strictObject({
  skill_md: text(MAX_SKILL_TEXT_BYTES).optional().describe('The `SKILL.md`, unless it is among the files'),
  raw_manifest: text(MAX_SKILL_TEXT_BYTES)
    .optional()
    .describe('Front matter (YAML without its `---`), for a `skill_md` that has none'),
  readme: text(MAX_SKILL_TEXT_BYTES)
    .optional()
    .describe('For people, Markdown. Default: the `README.md` among the files.'),
  changelog: text(16_384).optional().describe('What is new in this version'),
  files: z.array(SkillFile).max(MAX_SKILL_FILES).default([]).describe('Everything else in its folder'),
})
export type SkillPublish = z.input<typeof SkillPublish>

/** The answer to a publication (202), which is over by then. */
export const SkillPublished = z.object({
  status: SkillStatus.describe('Whether it is published'),
  version: SkillVersionName.describe('The version that was published'),
  sha256: Sha256.describe('SHA-256 over its files: paths, contents and modes, hex'),
})
export type SkillPublished = z.infer<typeof SkillPublished>

/** How the last publication went. */
export const SkillPublishStatus = z.object({
  status: z
    .enum(['draft', 'processing', 'published', 'failed'])
    .describe('`draft`: nothing was published yet. `failed`: `errors` say why.'),
  version: z.string().nullable().describe('The version that was published last; null: none'),
  sha256: Sha256.nullable().describe('SHA-256 over its files, hex; null: none'),
  errors: z.array(SkillIssue).describe('What was wrong with the last publication'),
  at: instant.nullable().describe('When it was tried last; null: never'),
})
export type SkillPublishStatus = z.infer<typeof SkillPublishStatus>

/** The answer to a star. */
export const SkillStar = z.object({
  starred: z.boolean().describe('Whether the caller has starred it'),
  star_count: z.number().int().describe('How many principals have starred it'),
})
export type SkillStar = z.infer<typeof SkillStar>

/** Body of `POST /skills/:slug/reviews/`: each author has one, and a second one takes its place. */
export const SkillReviewWrite = z.strictObject({
  body: z.string().trim().min(1).max(5000).describe('What it says, as plain text'),
})
export type SkillReviewWrite = z.input<typeof SkillReviewWrite>
