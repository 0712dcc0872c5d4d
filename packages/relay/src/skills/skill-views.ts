import {
  SkillCategoryName,
  type SkillCategory,
  type SkillDetail,
  type SkillPublishStatus,
  type SkillReview,
  type SkillSummary,
  type SkillTag,
  type SkillUpdated,
  type SkillVersion,
} from '@cmdop/protocol'
import type { SkillPart, SkillReviewRow, SkillRow, SkillVersionRow } from '../store/skill-store.ts'

/** A skill, as lists show it. */
export function summaryOf(skill: SkillRow, isStarred: boolean): SkillSummary {
  const category = categoryOf(skill.category)
  return { ...commonOf(skill, isStarred), category: category?.slug ?? null, category_name: category?.name ?? null }
}

/** A skill with all that is said of it. `version`: its latest one. */
export function detailOf(
  skill: SkillRow,
  {
    version,
    body,
    reviews,
    isStarred,
  }: {
    readonly version: SkillVersionRow | undefined
    readonly body: string
    readonly reviews: readonly SkillReviewRow[]
    readonly isStarred: boolean
  },
): SkillDetail {
  return {
    ...commonOf(skill, isStarred),
    description: body,
    readme: version?.readme ?? null,
    category: categoryOf(skill.category),
    repository_url: skill.repositoryUrl,
    latest_version: skill.latestVersion,
    reviews: reviews.map(reviewOf),
  }
}

/** What can be changed of a skill, as it is now. */
export function updatedOf({
  slug,
  name,
  category,
  visibility,
  status,
  icon,
  cover,
  repositoryUrl,
}: SkillRow): SkillUpdated {
  const known = categoryOf(category)?.slug ?? null
  return { slug, name, category: known, visibility, status, icon, cover, repository_url: repositoryUrl }
}

/** A version, without its files. */
export function versionOf(slug: string, row: SkillVersionRow): SkillVersion {
  const { id, version, sha256, size, skillMd, changelog, manifest, createdAt } = row
  const model = manifest.model ?? null
  return { id, skill: slug, version, sha256, size, skill_md: skillMd, changelog, model, created_at: createdAt }
}

/** A review. */
export function reviewOf(row: SkillReviewRow): SkillReview {
  return {
    id: row.id,
    author_handle: row.authorId,
    author_display_name: row.authorName,
    author_avatar_url: null,
    body: row.body,
    is_rewritten: false,
    source: 'relay',
    upstream_created_at: null,
    created_at: row.createdAt,
    updated_at: row.updatedAt,
  }
}

/** How the last publication went. */
export function publicationOf({ publication }: SkillRow): SkillPublishStatus {
  if (publication === null) return { status: 'draft', version: null, sha256: null, errors: [], at: null }
  const { errors, ...what } = publication
  return { status: errors.length > 0 ? 'failed' : 'published', errors: [...errors], ...what }
}

/** A category by its slug; null for none. */
export function categoryOf(slug: string | null): SkillCategory | null {
  const known = SkillCategoryName.safeParse(slug)
  return known.success ? { id: known.data, slug: known.data, name: nameOf(known.data) } : null
}

/** A tag by its slug. */
export function tagOf(slug: string): SkillTag {
  return { id: slug, slug, name: slug }
}

/** A numbered page. */
export function pageOf<Row, Item>(
  { rows, total }: SkillPart<Row>,
  { page, page_size }: { readonly page: number; readonly page_size: number },
  view: (row: Row) => Item,
) {
  const pages = Math.max(1, Math.ceil(total / page_size))
  return {
    count: total,
    page,
    pages,
    page_size,
    has_next: page < pages,
    has_previous: page > 1,
    next_page: page < pages ? page + 1 : null,
    previous_page: page > 1 ? page - 1 : null,
    results: rows.map(view),
  }
}

/** Where a page is in its list. */
export function placeOf({
  page,
  page_size,
  ordering,
  search,
}: {
  readonly page: number
  readonly page_size: number
  readonly ordering: string
  readonly search?: string | undefined
}) {
  const descending = ordering.startsWith('-')
  return {
    offset: (page - 1) * page_size,
    limit: page_size,
    by: descending ? ordering.slice(1) : ordering,
    descending,
    search,
  }
}

function commonOf(skill: SkillRow, isStarred: boolean): Omit<SkillSummary, 'category' | 'category_name'> {
  return {
    id: skill.id,
    slug: skill.slug,
    fleet_id: skill.fleetId,
    name: skill.name,
    short_description: skill.shortDescription,
    author: skill.authorId,
    author_username: skill.authorName,
    tags: skill.tags.map(tagOf),
    visibility: skill.visibility,
    status: skill.status,
    is_verified: false,
    icon: skill.icon,
    cover: skill.cover,
    install_count: skill.installCount,
    star_count: skill.starCount,
    download_count: skill.downloadCount,
    review_count: skill.reviewCount,
    is_starred: isStarred,
    created_at: skill.createdAt,
    updated_at: skill.updatedAt,
  }
}

const shortNames: Readonly<Record<string, string>> = { apis: 'APIs', ai: 'AI', devops: 'DevOps' }

function nameOf(slug: string): string {
  const words = slug.replaceAll('-', ' ')
  return shortNames[slug] ?? `${words.charAt(0).toUpperCase()}${words.slice(1)}`
}
