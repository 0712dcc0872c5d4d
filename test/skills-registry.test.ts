import { createServer, type IncomingHttpHeaders } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { codeOf } from './code-of.ts'
import { addFleet } from './fleets.ts'
import { invitePerson } from './people.ts'
import { publishDiskUsage, scriptSkill } from './skill-worlds.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ machines: 0 })
})
afterAll(() => world[Symbol.asyncDispose]())

const versioned = (name: string, version: string, script = 'true') =>
  scriptSkill(name, script).map((file) => ({
    ...file,
    content: file.content.replace('version: 1.0.0', `version: ${version}`),
  }))

test('a private skill is not there for another fleet, and a public one is, which changes only its own', async () => {
  const { client } = world
  const stranger = world.connect({ token: (await addFleet(await world.openStore())).raw })
  await client.skills.create('Hidden')
  await client.skills.publish('hidden', { files: scriptSkill('hidden', 'true') })
  const ways = [
    () => stranger.skills.get('hidden'),
    () => stranger.skills.install('hidden'),
    () => stranger.skills.versions('hidden'),
    () => stranger.skills.reviews('hidden'),
    () => stranger.skills.star('hidden'),
    () => stranger.skills.review('hidden', 'x'),
    () => stranger.skills.publish('hidden', { files: scriptSkill('hidden', 'true') }),
    () => stranger.skills.delete('hidden'),
  ]
  for (const way of ways) expect(await codeOf(way)).toBe('not_found')
  // Nor is the name taken for it.
  expect(await stranger.skills.create('Hidden')).toMatchObject({ slug: 'hidden' })
  await stranger.skills.delete('hidden')
  await client.skills.update('hidden', { visibility: 'public' })
  expect((await stranger.skills.list({ search: 'HIDD' })).results).toMatchObject([{ slug: 'hidden' }])
  const { fleetId } = await client.skills.get('hidden')
  expect(await stranger.skills.install('hidden')).toMatchObject({ slug: 'hidden', version: '1.0.0', fleetId })
  expect(await codeOf(() => stranger.skills.publish('hidden', { files: versioned('hidden', '6.6.6') }))).toBe(
    'permission',
  )
  expect(await codeOf(() => stranger.skills.update('hidden', { visibility: 'private' }))).toBe('permission')
  expect(await codeOf(() => stranger.skills.publishStatus('hidden'))).toBe('permission')
  await client.skills.update('hidden', { status: 'suspended' })
  expect(await codeOf(() => stranger.skills.get('hidden'))).toBe('not_found')
  expect(await codeOf(() => client.skills.install('hidden'))).toBe('conflict')
  // What others have installed under the name never becomes somebody else's.
  await client.skills.delete('hidden')
  await stranger.skills.create('Hidden')
  await stranger.skills.publish('hidden', { files: scriptSkill('hidden', 'false') })
  expect(await codeOf(() => stranger.skills.update('hidden', { visibility: 'public' }))).toBe('conflict')
})

test('a member publishes nothing under a skill of somebody else, and an AI operator nothing at all', async () => {
  const { client } = world
  await client.skills.create('Ours')
  const { client: member } = await invitePerson(world, 'publisher')
  const files = scriptSkill('ours', 'true')
  expect(await codeOf(() => member.skills.publish('ours', { files }))).toBe('permission')
  expect(await codeOf(() => member.skills.delete('ours'))).toBe('permission')
  await member.skills.create('Mine')
  await member.skills.publish('mine', { files: scriptSkill('mine', 'true') })
  // Owners and admins look after those of their fleet.
  await client.skills.update('mine', { status: 'suspended' })
  expect(await codeOf(() => member.skills.update('mine', { status: 'published' }))).toBe('permission')
  const { rawToken: token } = await client.keys.issue({ name: 'operator', kind: 'ai' })
  const operator = world.connect({ token })
  expect(await codeOf(() => operator.skills.create('Theirs'))).toBe('permission')
  expect(await codeOf(() => operator.skills.install('ours'))).toBe('permission')
  expect(await codeOf(() => operator.skills.review('ours', 'x'))).toBe('permission')
  expect((await operator.skills.list()).count).toBeGreaterThan(0)
})

test('a version never changes, not even when its skill was deleted in between', async () => {
  const { client } = world
  await client.skills.create('Firm')
  const files = scriptSkill('firm', 'true')
  const first = await client.skills.publish('firm', { files, changelog: 'The first.' })
  expect(await client.skills.publish('firm', { files: files.toReversed() })).toEqual(first)
  const other = { files: scriptSkill('firm', 'false') }
  expect(await codeOf(() => client.skills.publish('firm', other))).toBe('conflict')
  await client.skills.delete('firm')
  await client.skills.create('Firm')
  expect(await codeOf(() => client.skills.publish('firm', other))).toBe('conflict')
  expect(await client.skills.publish('firm', { files })).toEqual(first)
  await client.skills.publish('firm', { files: versioned('firm', '1.10.0') })
  await client.skills.publish('firm', { files: versioned('firm', '1.9.0') })
  await client.skills.publish('firm', { files: versioned('firm', '2.0.0-rc.1') })
  expect(await client.skills.get('firm')).toMatchObject({ latestVersion: '1.10.0' })
  expect(await client.skills.install('firm')).toMatchObject({ version: '1.10.0' })
  expect(await client.skills.install('firm', { version: '2.0.0-rc.1' })).toMatchObject({ version: '2.0.0-rc.1' })
  expect(await codeOf(() => client.skills.install('firm', { version: '3.0.0' }))).toBe('not_found')
  const versions = await Array.fromAsync(client.skills.iterVersions('firm', { pageSize: 1 }))
  expect(versions.map(({ version }) => version).toSorted()).toEqual(['1.0.0', '1.10.0', '1.9.0', '2.0.0-rc.1'])
})

test('what is wrong with a skill comes back with the line it is on, and in the status of the publication', async () => {
  const { client } = world
  await client.skills.create('Broken')
  expect(await client.skills.publishStatus('broken')).toMatchObject({ status: 'draft', errors: [] })
  const skillMd =
    '---\nname: broken\ndescription: x\nversion: one\ntools:\n  - name: Go\n    description: x\n    argv: [./no]\n---\n'
  const issues = [
    { path: 'SKILL.md', line: 4, message: expect.stringContaining('version') as string },
    { path: 'SKILL.md', line: 6, message: expect.stringContaining('tools.0.name') as string },
  ]
  await expect(client.skills.publish('broken', { skillMd })).rejects.toMatchObject({
    code: 'validation',
    status: 422,
    details: { issues },
  })
  expect(await client.skills.publishStatus('broken')).toMatchObject({ status: 'failed', errors: issues })
  expect(await codeOf(() => client.skills.install('broken'))).toBe('conflict')
  expect(await codeOf(() => client.skills.update('broken', { status: 'published' }))).toBe('conflict')
  const rawManifest = 'name: broken\ndescription: It works now.\nversion: 0.1.0\ntags: [fixed]'
  await client.skills.publish('broken', { rawManifest, skillMd: 'Do it.', readme: 'For people.' })
  expect(await client.skills.publishStatus('broken')).toMatchObject({
    status: 'published',
    version: '0.1.0',
    errors: [],
  })
  expect(await client.skills.get('broken')).toMatchObject({
    shortDescription: 'It works now.',
    description: '\nDo it.',
    readme: 'For people.',
    tags: [{ slug: 'fixed' }],
  })
})

test('lists have pages, an order and filters, and stars and reviews are one for each principal', async () => {
  const { client } = world
  await publishDiskUsage(client)
  await client.skills.update('disk-usage', { category: 'devops', repositoryUrl: 'https://example.com/disk' })
  const { client: other } = await invitePerson(world, 'reviewer')
  expect(await client.skills.star('disk-usage')).toEqual({ starred: true, starCount: 1 })
  expect(await other.skills.star('disk-usage')).toEqual({ starred: true, starCount: 2 })
  expect(await other.skills.star('disk-usage')).toEqual({ starred: false, starCount: 1 })
  const { id } = await other.skills.review('disk-usage', 'It works.')
  expect(await other.skills.review('disk-usage', 'It works well.')).toMatchObject({ id, body: 'It works well.' })
  await client.skills.review('disk-usage', 'Mine.')
  expect(await client.skills.reviews('disk-usage', { search: 'WELL' })).toMatchObject({ count: 1, results: [{ id }] })
  expect(await Array.fromAsync(client.skills.iterReviews('disk-usage', { pageSize: 1 }))).toHaveLength(2)
  await client.skills.install('disk-usage')
  const second = await client.skills.install('disk-usage')
  expect(second.meta.updatedAt).not.toBeNull()
  expect(await client.skills.get('disk-usage')).toMatchObject({
    isStarred: true,
    starCount: 1,
    reviewCount: 2,
    installCount: 1,
    downloadCount: 2,
    category: { slug: 'devops', name: 'DevOps' },
    repositoryUrl: 'https://example.com/disk',
  })
  expect(await client.skills.update('disk-usage', { repositoryUrl: null })).toMatchObject({
    repositoryUrl: null,
    category: 'devops',
  })
  const slugs = async (query: object) =>
    (await Array.fromAsync(client.skills.iter({ ...query, pageSize: 1 }))).map(({ slug }) => slug)
  expect(await slugs({ category: 'devops' })).toEqual(['disk-usage'])
  expect(await slugs({ tag: 'monitoring' })).toEqual(['disk-usage'])
  expect(await slugs({ search: '100%' })).toEqual([])
  const all = await slugs({ ordering: 'name' })
  expect(await slugs({ ordering: '-name' })).toEqual(all.toReversed())
  expect((await Array.fromAsync(client.skills.iterMy())).length).toBeLessThan(all.length + 1)
  expect((await Array.fromAsync(client.skills.iterTags())).map(({ slug }) => slug)).toContain('disk')
  expect(await client.skills.categories({ search: 'dev', pageSize: 1 })).toMatchObject({
    count: 2,
    pages: 2,
    hasNext: true,
    nextPage: 2,
  })
  expect(await codeOf(() => client.skills.list({ ordering: 'author_id' as never }))).toBe('validation')
})

test('icon and cover of a skill stay until null takes them away, each by itself', async () => {
  const { skills } = world.client
  const { slug } = await skills.create('Pictured')
  const icon = 'https://example.com/icon.png'
  const cover = 'https://example.com/cover.png'
  expect(await skills.update(slug, { icon, cover })).toMatchObject({ icon, cover })
  expect(await skills.update(slug, { category: 'devops' })).toMatchObject({ icon, cover })
  expect(await skills.update(slug, { icon: null })).toMatchObject({ icon: null, cover })
  expect(await skills.get(slug)).toMatchObject({ icon: null, cover })
  expect(await skills.update(slug, { cover: null })).toMatchObject({ icon: null, cover: null })
  expect(await skills.get(slug)).toMatchObject({ icon: null, cover: null })
  for (const change of [{ icon: 'http://example.com/icon.png' }, { cover: '' }])
    expect(await codeOf(() => skills.update(slug, change))).toBe('validation')
  await skills.delete(slug)
})

test('each key goes to its own plane only', async () => {
  const seen: Record<string, IncomingHttpHeaders[]> = { relay: [], platform: [] }
  await using opened = new AsyncDisposableStack()
  const listen = async (name: 'relay' | 'platform') => {
    const server = createServer((request, response) => {
      seen[name]?.push(request.headers)
      response.writeHead(404, { 'content-type': 'application/json' }).end('{}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    opened.defer(() => new Promise<void>((resolve) => server.close(() => resolve())))
    return `http://127.0.0.1:${(server.address() as { port: number }).port}`
  }
  const [baseUrl, apiBaseUrl] = [await listen('relay'), await listen('platform')]
  const both = world.connect({ baseUrl, apiBaseUrl, token: 'relay-key', apiKey: 'platform-key', retries: 0 })
  for (const call of [
    () => both.skills.list(),
    () => both.skills.get('x'),
    () => both.skills.star('x'),
    () => both.machines.list(),
  ])
    expect(await codeOf(call)).toBe('not_found')
  expect(seen['platform']?.map((headers) => [headers['x-api-key'], headers.authorization])).toEqual(
    Array.from({ length: 3 }, () => ['platform-key', undefined]),
  )
  expect(seen['relay']?.map((headers) => [headers['x-api-key'], headers.authorization])).toEqual([
    [undefined, 'Bearer relay-key'],
  ])
  // A key for the relay is for no other address, and none is demanded before it is used.
  const relayOnly = world.connect({ baseUrl, apiBaseUrl, token: 'relay-key', retries: 0 })
  await expect(relayOnly.skills.list()).rejects.toMatchObject({
    code: 'config',
    message: expect.stringContaining('CMDOP_API_KEY') as string,
  })
  expect(seen['platform']).toHaveLength(3)
  expect(seen['relay']).toHaveLength(1)
})

test('the relay takes a key from X-Api-Key on the platform’s paths alone, and not beside another', async () => {
  const { url, firstKey } = world.relay
  const status = async (path: string, headers: Record<string, string>) =>
    (await fetch(`${url}${path}`, { headers })).status
  expect(await status('/skills/', { 'x-api-key': firstKey })).toBe(200)
  expect(await status('/categories/', { authorization: `Bearer ${firstKey}` })).toBe(200)
  expect(await status('/tags/', { 'x-api-key': firstKey, authorization: `Bearer ${firstKey}` })).toBe(200)
  expect(await status('/skills/', { 'x-api-key': firstKey, authorization: 'Bearer cmdop_other' })).toBe(401)
  expect(await status('/skills/', { 'x-api-key': 'x y' })).toBe(401)
  expect(await status('/skills/', {})).toBe(401)
  expect(await status('/api/machines', { 'x-api-key': firstKey })).toBe(401)
})
