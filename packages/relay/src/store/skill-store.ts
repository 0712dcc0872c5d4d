import type { SkillIssue, SkillManifest, SkillStatus, SkillVisibility } from '@cmdop/protocol'

/** A skill of a fleet, without its versions. */
export interface SkillRow {
  readonly id: string
  readonly fleetId: string
  /** Unique in its fleet, and among public ones. */
  readonly slug: string
  readonly name: string
  /** What it is for, of its latest version; empty before that. */
  readonly shortDescription: string
  readonly authorId: string
  readonly authorName: string
  readonly category: string | null
  readonly visibility: SkillVisibility
  readonly status: SkillStatus
  readonly icon: string | null
  readonly cover: string | null
  readonly repositoryUrl: string | null
  readonly latestVersion: string | null
  readonly installCount: number
  readonly downloadCount: number
  readonly starCount: number
  readonly reviewCount: number
  readonly tags: readonly string[]
  /** How the last publication went; null: there was none. */
  readonly publication: SkillPublication | null
  readonly createdAt: string
  readonly updatedAt: string
}

/** How a publication went. */
export interface SkillPublication {
  readonly version: string | null
  readonly sha256: string | null
  readonly errors: readonly SkillIssue[]
  readonly at: string
}

/** A skill as it is made. */
export type NewSkill = Pick<SkillRow, 'id' | 'fleetId' | 'slug' | 'name' | 'authorId' | 'authorName' | 'createdAt'>

/** What may be changed of a skill by hand. */
export type SkillChange = Partial<
  Pick<SkillRow, 'name' | 'category' | 'visibility' | 'status' | 'icon' | 'cover' | 'repositoryUrl'>
>

/** What a skill is from a version on; what is absent stays. */
export type SkillBecomes = Pick<SkillRow, 'latestVersion'> & Partial<Pick<SkillRow, 'shortDescription' | 'tags'>>

/** A version of a skill. It never changes. */
export interface SkillVersionRow {
  readonly id: string
  readonly skillId: string
  readonly version: string
  readonly sha256: string
  /** Bytes of its files together. */
  readonly size: number
  readonly manifest: SkillManifest
  readonly skillMd: string
  readonly readme: string | null
  readonly changelog: string | null
  readonly authorId: string
  readonly createdAt: string
}

/** A file of a version; its content is base64. */
export interface SkillFileRow {
  readonly path: string
  readonly sha256: string
  readonly size: number
  readonly executable: boolean
  readonly content: string
}

/** What somebody says of a skill. */
export interface SkillReviewRow {
  readonly id: string
  readonly skillId: string
  readonly fleetId: string
  readonly authorId: string
  readonly authorName: string
  readonly body: string
  readonly createdAt: string
  readonly updatedAt: string
}

/** Which part of a list. */
export interface SkillPlace {
  readonly offset: number
  readonly limit: number
  /** A part of what is searched, in any letter case of ASCII. */
  readonly search?: string | undefined
  /** A column, and whether the other way round. */
  readonly by: string
  readonly descending: boolean
}

/** Which skills. */
export interface SkillFilter extends SkillPlace {
  readonly category?: string | undefined
  readonly tag?: string | undefined
  /** Only those that this principal made, whatever their state. */
  readonly authorId?: string | undefined
}

/** A part of a list, and how many there are in all. */
export interface SkillPart<Row> {
  readonly rows: readonly Row[]
  readonly total: number
}

/** The skills of all fleets. A fleet sees its own, and what is public and published of the others. */
export interface SkillStore {
  /** `conflict` when the fleet has one of that slug. */
  create(skill: NewSkill): Promise<void>
  /** The fleet's own of that slug, else the public one. */
  find(fleetId: string, slug: string): Promise<SkillRow | undefined>
  /** What the fleet sees; with `authorId` only its own. Unknown orders are the caller's fault. */
  list(fleetId: string, filter: SkillFilter): Promise<SkillPart<SkillRow>>
  /** How many a fleet has. */
  count(fleetId: string): Promise<number>
  /** `conflict` when it becomes public, and its slug is or ever was that of a public one of another fleet, or its fleet has had very many. */
  update(skillId: string, change: SkillChange & { readonly updatedAt: string }): Promise<void>
  /** With its versions, stars and reviews. What its versions were is remembered: see {@link addVersion}. False when there is none. */
  remove(skillId: string): Promise<boolean>
  /**
   * Adds a version with its files, and what the skill is from then on, all or none. `same` when it is there with this digest already;
   * `conflict` when there is, or ever was, one of this version in this fleet under this slug with another digest.
   */
  addVersion(
    skill: Pick<SkillRow, 'id' | 'fleetId' | 'slug'>,
    version: SkillVersionRow & { readonly files: readonly SkillFileRow[] },
    /** Asked for with the versions before, while no other one is added. What it throws is thrown, and nothing was added. */
    becomes: (before: readonly string[]) => SkillBecomes,
  ): Promise<'added' | 'same'>
  /** Notes how a publication went that added nothing. */
  notePublication(skillId: string, publication: SkillPublication): Promise<void>
  getVersion(skillId: string, version: string): Promise<SkillVersionRow | undefined>
  /** In order of path. */
  files(versionId: string): Promise<readonly SkillFileRow[]>
  /** The names of all versions, in no order. */
  versionNames(skillId: string): Promise<readonly string[]>
  /** The newest first. */
  versions(skillId: string, page: Pick<SkillPlace, 'offset' | 'limit'>): Promise<SkillPart<SkillVersionRow>>
  /** Stars it, or takes the star back. */
  toggleStar(skillId: string, principalId: string, at: string): Promise<{ starred: boolean; starCount: number }>
  /** Which of these skills the principal has starred. */
  starred(principalId: string, skillIds: readonly string[]): Promise<ReadonlySet<string>>
  /** Notes that its files were asked for. Gives when that was first. */
  noteInstall(install: {
    readonly skillId: string
    readonly principalId: string
    readonly version: string
    readonly at: string
  }): Promise<{ readonly installedAt: string; readonly isFirst: boolean }>
  /** Takes the place of what this author has written of it. Gives the review as it is now. */
  review(review: SkillReviewRow): Promise<SkillReviewRow>
  reviews(skillId: string, place: SkillPlace): Promise<SkillPart<SkillReviewRow>>
  /** The tags of the skills that the fleet sees, with their number. */
  tags(fleetId: string, place: SkillPlace): Promise<SkillPart<{ readonly tag: string; readonly count: number }>>
}
