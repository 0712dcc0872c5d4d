import { SkillManifest } from '@cmdop/protocol'
import { describe, expect, it } from 'vitest'
import type { SkillVersionRow } from '../skill-store.ts'
import type { Store } from '../store.ts'
import { addFleet, at, newId, type OpenStore } from './world.ts'

const place = { offset: 0, limit: 10, by: 'slug', descending: false }

/** Skills, their versions, and what people make of them. */
export function describeSkills(open: OpenStore): void {
  const addSkill = async (store: Store, slug = 'disk-usage', given?: { id: string; ownerId: string }) => {
    const { id: fleetId, ownerId: authorId } = given ?? (await newFleet(store))
    const skill = { id: newId('skill'), fleetId, slug, name: slug, authorId, authorName: 'Ada', createdAt: at(1) }
    await store.skills.create(skill)
    return skill
  }
  const newFleet = async (store: Store) => {
    const { fleet, owner } = await addFleet(store)
    return { id: fleet.id, ownerId: owner.id }
  }
  const versionRow = (skillId: string, change: Partial<SkillVersionRow> = {}) => ({
    id: newId('version'),
    skillId,
    version: '1.0.0',
    sha256: 'a'.repeat(64),
    size: 4,
    manifest: SkillManifest.parse({ name: 'disk-usage', description: 'Says it.', version: '1.0.0', tags: ['disk'] }),
    skillMd: 'text',
    readme: null,
    changelog: 'new',
    authorId: 'principal_1',
    createdAt: at(2),
    files: [{ path: 'SKILL.md', sha256: 'b'.repeat(64), size: 4, executable: true, content: 'dGV4dA==' }],
    ...change,
  })
  const said = { shortDescription: 'Says it.', latestVersion: '1.0.0', tags: ['disk', 'space'] }
  const becomes = () => said

  describe('skills', () => {
    it('are given back with their versions and files, and after a restart', async () => {
      await using world = await open()
      const skill = await addSkill(world.store)
      const { files, ...version } = versionRow(skill.id)
      expect(await world.store.skills.addVersion(skill, { ...version, files }, becomes)).toBe('added')
      const store = await world.reopen()
      const found = await store.skills.find(skill.fleetId, skill.slug)
      expect(found).toMatchObject({
        ...said,
        id: skill.id,
        status: 'published',
        visibility: 'private',
        category: null,
        starCount: 0,
      })
      expect(found?.publication).toEqual({ version: '1.0.0', sha256: version.sha256, errors: [], at: at(2) })
      expect(await store.skills.getVersion(skill.id, '1.0.0')).toEqual(version)
      expect(await store.skills.files(version.id)).toEqual(files)
      expect(await store.skills.versionNames(skill.id)).toEqual(['1.0.0'])
      expect(await store.skills.versions(skill.id, place)).toEqual({ rows: [version], total: 1 })
    })

    it('never change a version, also when many publish it at once and when the skill was removed', async () => {
      await using world = await open()
      const { skills } = world.store
      const skill = await addSkill(world.store)
      const digests = ['a', 'a', 'b', 'b'].map((letter) => letter.repeat(64))
      const results = await Promise.allSettled(
        digests.map((sha256) => skills.addVersion(skill, versionRow(skill.id, { sha256 }), becomes)),
      )
      const outcomes = results.map((each) =>
        each.status === 'fulfilled' ? each.value : (each.reason as { code: string }).code,
      )
      expect(outcomes.toSorted()).toEqual(['added', 'conflict', 'conflict', 'same'])
      const kept = (await skills.getVersion(skill.id, '1.0.0'))?.sha256 ?? ''
      expect(await skills.remove(skill.id)).toBe(true)
      expect(await skills.remove(skill.id)).toBe(false)
      expect(await skills.getVersion(skill.id, '1.0.0')).toBeUndefined()
      const again = await addSkill(world.store, skill.slug, { id: skill.fleetId, ownerId: skill.authorId })
      const other = digests.find((digest) => digest !== kept) ?? ''
      const publish = (sha256: string) => skills.addVersion(again, versionRow(again.id, { sha256 }), becomes)
      await expect(publish(other)).rejects.toMatchObject({ code: 'conflict' })
      expect(await publish(kept)).toBe('added')
    })

    it('are told the versions before one after the other, however many are published at once', async () => {
      await using world = await open()
      const { skills } = world.store
      const skill = await addSkill(world.store)
      const seen: number[] = []
      const versions = ['1.0.0', '3.0.0', '2.0.0', '1.5.0']
      await Promise.all(
        versions.map((version) =>
          skills.addVersion(skill, versionRow(skill.id, { version }), (before) => {
            seen.push(before.length)
            const latestVersion = [...before, version].toSorted().at(-1) ?? ''
            return latestVersion === version ? { latestVersion, shortDescription: version } : { latestVersion }
          }),
        ),
      )
      expect(seen).toEqual([0, 1, 2, 3])
      const found = await skills.find(skill.fleetId, skill.slug)
      expect(found).toMatchObject({ latestVersion: '3.0.0', shortDescription: '3.0.0', tags: [] })
      await skills.remove(skill.id)
      const late = skills.addVersion(skill, versionRow(skill.id, { version: '4.0.0' }), becomes)
      await expect(late).rejects.toMatchObject({ code: 'not_found' })
    })

    it('keep a name that was ever public for their fleet', async () => {
      await using world = await open()
      const { skills } = world.store
      const skill = await addSkill(world.store)
      const stranger = await newFleet(world.store)
      const theirs = await addSkill(world.store, skill.slug, stranger)
      const makePublic = (id: string) => skills.update(id, { visibility: 'public', updatedAt: at(3) })
      await makePublic(skill.id)
      await skills.update(skill.id, { visibility: 'private', updatedAt: at(4) })
      await expect(makePublic(theirs.id)).rejects.toMatchObject({ code: 'conflict' })
      expect((await skills.find(stranger.id, skill.slug))?.visibility).toBe('private')
      await skills.remove(skill.id)
      await expect(makePublic(theirs.id)).rejects.toMatchObject({ code: 'conflict' })
      const again = await addSkill(world.store, skill.slug, { id: skill.fleetId, ownerId: skill.authorId })
      await makePublic(again.id)
    })

    it('are seen by their fleet, and by others once they are public and published', async () => {
      await using world = await open()
      const { skills } = world.store
      const skill = await addSkill(world.store)
      const stranger = await newFleet(world.store)
      const seen = async () => [
        (await skills.find(stranger.id, skill.slug))?.id,
        (await skills.list(stranger.id, place)).total,
        (await skills.tags(stranger.id, place)).total,
      ]
      await skills.update(skill.id, { visibility: 'public', updatedAt: at(3) })
      expect(await seen()).toEqual([undefined, 0, 0])
      await skills.addVersion(skill, versionRow(skill.id), becomes)
      expect(await seen()).toEqual([skill.id, 1, 2])
      const own = await addSkill(world.store, skill.slug, stranger)
      expect(await seen()).toEqual([own.id, 2, 2])
      await expect(skills.update(own.id, { visibility: 'public', updatedAt: at(4) })).rejects.toMatchObject({
        code: 'conflict',
      })
      await expect(addSkill(world.store, skill.slug, stranger)).rejects.toMatchObject({ code: 'conflict' })
      expect(await skills.count(stranger.id)).toBe(1)
      await skills.update(skill.id, { status: 'suspended', updatedAt: at(5) })
      await skills.addVersion(skill, versionRow(skill.id, { version: '2.0.0', sha256: 'c'.repeat(64) }), becomes)
      expect((await skills.find(skill.fleetId, skill.slug))?.status).toBe('suspended')
    })

    it('are found by category, tag, author and words, in pages and in order', async () => {
      await using world = await open()
      const { skills } = world.store
      const fleet = await newFleet(world.store)
      const rows = []
      for (const slug of ['alpha', 'beta', 'gamma']) rows.push(await addSkill(world.store, slug, fleet))
      const [alpha, beta] = rows as [(typeof rows)[0], (typeof rows)[0]]
      await skills.update(beta.id, { category: 'devops', updatedAt: at(9) })
      await skills.addVersion(alpha, versionRow(alpha.id), () => ({ ...said, shortDescription: 'Full 100%' }))
      const slugs = async (filter: object) =>
        (await skills.list(fleet.id, { ...place, ...filter })).rows.map(({ slug }) => slug)
      expect(await slugs({})).toEqual(['alpha', 'beta', 'gamma'])
      expect(await slugs({ descending: true, limit: 2, offset: 1 })).toEqual(['beta', 'alpha'])
      expect(await slugs({ by: 'updated_at', descending: true, limit: 1 })).toEqual(['beta'])
      expect(await slugs({ category: 'devops' })).toEqual(['beta'])
      expect(await slugs({ tag: 'disk' })).toEqual(['alpha'])
      expect(await slugs({ search: 'AMM' })).toEqual(['gamma'])
      expect(await slugs({ search: '0%' })).toEqual(['alpha'])
      expect(await slugs({ search: '_' })).toEqual([])
      expect(await slugs({ authorId: fleet.ownerId })).toHaveLength(3)
      expect(await slugs({ authorId: 'principal_other' })).toEqual([])
    })

    it('have one star, one installation and one review of each principal', async () => {
      await using world = await open()
      const { skills } = world.store
      const skill = await addSkill(world.store)
      expect(await skills.toggleStar(skill.id, 'prn_1', at(1))).toEqual({ starred: true, starCount: 1 })
      expect(await skills.toggleStar(skill.id, 'prn_2', at(1))).toEqual({ starred: true, starCount: 2 })
      expect(await skills.toggleStar(skill.id, 'prn_1', at(2))).toEqual({ starred: false, starCount: 1 })
      expect(await skills.starred('prn_2', [skill.id, 'skill_none'])).toEqual(new Set([skill.id]))
      const install = { skillId: skill.id, principalId: 'prn_1', version: '1.0.0' }
      expect(await skills.noteInstall({ ...install, at: at(3) })).toEqual({ installedAt: at(3), isFirst: true })
      expect(await skills.noteInstall({ ...install, at: at(3) })).toEqual({ installedAt: at(3), isFirst: false })
      const review = {
        id: newId('review'),
        skillId: skill.id,
        fleetId: skill.fleetId,
        authorId: 'prn_1',
        authorName: 'Ada',
        body: 'Good.',
        createdAt: at(4),
        updatedAt: at(4),
      }
      expect(await skills.review(review)).toEqual(review)
      const second = { ...review, id: newId('review'), body: 'Better.', createdAt: at(5), updatedAt: at(5) }
      expect(await skills.review(second)).toEqual({ ...review, body: 'Better.', updatedAt: at(5) })
      expect((await skills.reviews(skill.id, { ...place, by: 'created_at', search: 'BETT' })).total).toBe(1)
      expect(await skills.find(skill.fleetId, skill.slug)).toMatchObject({
        starCount: 1,
        installCount: 1,
        downloadCount: 2,
        reviewCount: 1,
      })
    })
  })
}
