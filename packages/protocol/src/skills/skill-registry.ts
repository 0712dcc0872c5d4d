import { z } from 'zod'
import { Sha256 } from '../methods/sha256.ts'
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
  /** The same as `slug`. */
  id: z.string(),
  name: z.string(),
  slug: z.string(),
  /** Skills with it that the caller sees. */
  skill_count: z.number().int().optional(),
})
export type SkillTag = z.infer<typeof SkillTag>

/** What skills are about. */
export const SkillCategory = z.object({
  /** The same as `slug`. */
  id: z.string(),
  name: z.string(),
  slug: SkillCategoryName,
})
export type SkillCategory = z.infer<typeof SkillCategory>

/** A skill, as lists show it. */
export const SkillSummary = z.object({
  id: z.string(),
  /** In addresses; unique in its fleet, and among the public ones. */
  slug: z.string(),
  /** The fleet that publishes it; a name that was ever public stays its own. */
  fleet_id: z.string(),
  name: z.string(),
  /** What it is for: of its latest version. Empty before that. */
  short_description: z.string(),
  /** Id of the principal that made it. */
  author: z.string(),
  /** Its name. */
  author_username: z.string(),
  /** Slug of its category. */
  category: SkillCategoryName.nullable(),
  category_name: z.string().nullable(),
  tags: z.array(SkillTag),
  visibility: SkillVisibility,
  status: SkillStatus,
  /** Somebody has looked at it for everybody; nobody does that on this relay. */
  is_verified: z.boolean(),
  /** Address of a picture. */
  icon: z.string().nullable(),
  /** Address of a picture. */
  cover: z.string().nullable(),
  /** Principals that have asked for its files. */
  install_count: z.number().int(),
  star_count: z.number().int(),
  /** Times that its files were asked for. */
  download_count: z.number().int(),
  review_count: z.number().int(),
  /** Whether the caller has starred it. */
  is_starred: z.boolean(),
  created_at: instant,
  updated_at: instant,
})
export type SkillSummary = z.infer<typeof SkillSummary>

/** What somebody says of a skill. */
export const SkillReview = z.object({
  id: z.string(),
  /** Id of the principal that wrote it. */
  author_handle: z.string(),
  author_display_name: z.string(),
  author_avatar_url: z.string().nullable(),
  /** Plain text. */
  body: z.string(),
  /** Whether a program has changed the words; never on this relay. */
  is_rewritten: z.boolean(),
  /** Where it was written: `relay`. */
  source: z.string(),
  /** When it was written where it comes from; null: here. */
  upstream_created_at: instant.nullable(),
  created_at: instant,
  /** When it was last changed. */
  updated_at: instant,
})
export type SkillReview = z.infer<typeof SkillReview>

/** A version of a skill. It never changes. */
export const SkillVersion = z.object({
  id: z.string(),
  /** Slug of its skill. */
  skill: z.string(),
  /** By https://semver.org */
  version: z.string(),
  /** SHA-256 over its files: paths, contents and modes, hex. */
  sha256: Sha256,
  /** Bytes of its files together. */
  size: z.number().int(),
  /** Its `SKILL.md`. */
  skill_md: z.string(),
  changelog: z.string().nullable(),
  /** The model that it was written for. */
  model: z.string().nullable(),
  created_at: instant,
})
export type SkillVersion = z.infer<typeof SkillVersion>

/** A skill with all that is said of it. */
export const SkillDetail = SkillSummary.omit({ category: true, category_name: true }).extend({
  /** The body of its `SKILL.md`. */
  description: z.string(),
  readme: z.string().nullable(),
  category: SkillCategory.nullable(),
  repository_url: z.string().nullable(),
  /** The highest version that is published. */
  latest_version: z.string().nullable(),
  /** The newest ones. */
  reviews: z.array(SkillReview),
})
export type SkillDetail = z.infer<typeof SkillDetail>

/** All that it takes to install a version. */
export const SkillInstall = z.object({
  slug: SkillName,
  /** The fleet that publishes it: yours, or another one's. */
  fleet_id: z.string(),
  version: SkillVersionName,
  /** SHA-256 over the files, hex: see {@link SkillVersion}. Whoever installs it computes it again. */
  sha256: Sha256,
  model: z.string().nullable(),
  /** For people. */
  install_command: z.string(),
  readme: z.string().nullable(),
  skill_md: z.string(),
  files: z.array(SkillFile.extend(SkillFileEntry.shape)).max(MAX_SKILL_FILES),
  /** What it uses, by name. Nothing of it is installed. */
  packages: z.object({ pip: z.array(z.string()), npm: z.array(z.string()) }),
  /** A line for `/bin/sh -c` in its folder. */
  run_check: z.string().nullable(),
  meta: z.object({
    /** When the caller first asked for it. */
    installed_at: instant,
    /** The address of the registry. */
    installed_from: z.string(),
    installed_version: z.string(),
    /** When the caller last asked for it, if that was another time. */
    updated_at: instant.nullable(),
  }),
})
export type SkillInstall = z.infer<typeof SkillInstall>

/** A numbered page of a list. */
export function skillPage<Item extends z.ZodType>(item: Item) {
  return z.object({
    /** Of all pages together. */
    count: z.number().int(),
    /** Of this page, from 1. */
    page: z.number().int(),
    /** How many pages there are; 1 where nothing is listed. */
    pages: z.number().int(),
    page_size: z.number().int(),
    has_next: z.boolean(),
    has_previous: z.boolean(),
    next_page: z.number().int().nullable(),
    previous_page: z.number().int().nullable(),
    results: z.array(item),
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
  /** From 1. */
  page: z.coerce.number().int().min(1).max(100_000).default(1),
  page_size: z.coerce.number().int().min(1).max(100).default(20),
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
  /** A part of slug, name or description. */
  search,
  ordering: orderingBy(skillOrderings).default('-updated_at'),
})
export type SkillMyQuery = z.infer<typeof SkillMyQuery>

/** Query of `GET /skills/`. */
export const SkillListQuery = SkillMyQuery.extend({
  category: SkillCategoryName.optional(),
  /** Slug of a tag. */
  tag: SkillName.optional(),
  /** A language. Skills are in the language that they were written in: it changes nothing here. */
  lang: text(16).optional(),
})
export type SkillListQuery = z.infer<typeof SkillListQuery>

/** Query of `GET /skills/:slug/`. */
export const SkillGetQuery = z.object({
  /** See {@link SkillListQuery}. */
  lang: text(16).optional(),
})
export type SkillGetQuery = z.infer<typeof SkillGetQuery>

/** Query of `POST /skills/:slug/install/`. */
export const SkillInstallQuery = z.object({
  /** Default: the highest one that is no pre-release, else the highest one. */
  version: SkillVersionName.optional(),
})
export type SkillInstallQuery = z.infer<typeof SkillInstallQuery>

/** Query of `GET /skills/:slug/reviews/`. */
export const SkillReviewQuery = SkillPageQuery.extend({
  /** A part of what they say. */
  search,
  ordering: orderingBy(['created_at', 'updated_at']).default('-created_at'),
})
export type SkillReviewQuery = z.infer<typeof SkillReviewQuery>

/** Query of `GET /categories/` and `GET /tags/`. */
export const SkillWordQuery = SkillPageQuery.extend({ search, ordering: orderingBy(['name']).default('name') })
export type SkillWordQuery = z.infer<typeof SkillWordQuery>

/** Body of `POST /skills/`. */
export const SkillCreate = z.strictObject({
  /** Its slug is made of it: in lower case, with dashes for what is no letter of ASCII and no digit. */
  name: z
    .string()
    .trim()
    .min(1)
    .max(64)
    .regex(/[a-z0-9]/i, 'Expected a letter or a digit.'),
})
export type SkillCreate = z.input<typeof SkillCreate>

/** The answer: what is empty as yet. */
export const SkillCreated = z.object({ id: z.string(), slug: z.string(), name: z.string() })
export type SkillCreated = z.infer<typeof SkillCreated>

/** Body of `PATCH /skills/:slug/`. What is absent stays; `null` takes it away. */
export const SkillUpdate = z.strictObject({
  name: z.string().trim().min(1).max(64).optional(),
  category: SkillCategoryName.nullable().optional(),
  visibility: SkillVisibility.optional(),
  /** `published` only where there is a version. */
  status: SkillStatus.exclude(['processing']).optional(),
  icon: link.nullable().optional(),
  cover: link.nullable().optional(),
  repository_url: link.nullable().optional(),
})
export type SkillUpdate = z.infer<typeof SkillUpdate>

/** The answer: how all of these are now. */
export const SkillUpdated = z.object({
  slug: z.string(),
  name: z.string(),
  category: SkillCategoryName.nullable(),
  visibility: SkillVisibility,
  status: SkillStatus,
  icon: z.string().nullable(),
  cover: z.string().nullable(),
  repository_url: z.string().nullable(),
})
export type SkillUpdated = z.infer<typeof SkillUpdated>

/** Body of `POST /skills/:slug/publish/`. */
export const SkillPublish = z.strictObject({
  /** The `SKILL.md`, unless it is among the files. */
  skill_md: text(MAX_SKILL_TEXT_BYTES).optional(),
  /** Front matter (YAML without its `---`), for a `skill_md` that has none. */
  raw_manifest: text(MAX_SKILL_TEXT_BYTES).optional(),
  /** For people; Markdown. Default: the `README.md` among the files. */
  readme: text(MAX_SKILL_TEXT_BYTES).optional(),
  /** What is new in this version. */
  changelog: text(16_384).optional(),
  /** Everything else in its folder. */
  files: z.array(SkillFile).max(MAX_SKILL_FILES).default([]),
})
export type SkillPublish = z.input<typeof SkillPublish>

/** The answer to a publication (202), which is over by then. */
export const SkillPublished = z.object({
  status: SkillStatus,
  version: SkillVersionName,
  /** See {@link SkillVersion}. */
  sha256: Sha256,
})
export type SkillPublished = z.infer<typeof SkillPublished>

/** How the last publication went. */
export const SkillPublishStatus = z.object({
  /** `draft`: nothing was published yet. `failed`: `errors` say why. */
  status: z.enum(['draft', 'processing', 'published', 'failed']),
  /** What was published last. */
  version: z.string().nullable(),
  sha256: Sha256.nullable(),
  /** What was wrong. */
  errors: z.array(SkillIssue),
  /** When that was. */
  at: instant.nullable(),
})
export type SkillPublishStatus = z.infer<typeof SkillPublishStatus>

/** The answer to a star. */
export const SkillStar = z.object({ starred: z.boolean(), star_count: z.number().int() })
export type SkillStar = z.infer<typeof SkillStar>

/** Body of `POST /skills/:slug/reviews/`: each author has one, and a second one takes its place. */
export const SkillReviewWrite = z.strictObject({ body: z.string().trim().min(1).max(5000) })
export type SkillReviewWrite = z.input<typeof SkillReviewWrite>
