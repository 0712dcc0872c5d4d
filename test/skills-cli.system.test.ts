import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from './processes/cli.ts'
import { diskUsage } from './skill-worlds.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

const cmdop = (...argv: string[]) =>
  runCli(['skills', ...argv], { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey })

async function json(...argv: string[]) {
  const { code, stdout, stderr } = await cmdop(...argv, '--json')
  expect(`${code} ${stderr}`).toBe('0 ')
  return JSON.parse(stdout) as unknown
}

test('a skill is published, installed, run and removed by commands, each with a table and JSON', async () => {
  const machine = world.machine.name
  expect(await json('publish', diskUsage, '--create')).toMatchObject({ status: 'published', version: '1.0.0' })
  expect(await cmdop('publish', diskUsage)).toMatchObject({ code: 0 })
  expect(await json('list', '--search', 'disk')).toMatchObject({ items: [{ slug: 'disk-usage', star_count: 0 }] })
  expect((await cmdop('my')).stdout).toContain('disk-usage  published  private')
  expect(await json('get', 'disk-usage')).toMatchObject({ latest_version: '1.0.0' })
  expect(await json('update', 'disk-usage', '--category', 'devops')).toMatchObject({ category: 'devops' })
  expect(await json('update', 'disk-usage', '--category', 'none')).toMatchObject({ category: null })
  expect(await json('versions', 'disk-usage')).toMatchObject({ items: [{ version: '1.0.0' }] })
  expect(await json('star', 'disk-usage')).toEqual({ starred: true, star_count: 1 })
  expect(await json('review', 'disk-usage', 'It works.')).toMatchObject({ body: 'It works.' })
  expect((await cmdop('reviews', 'disk-usage')).stdout).toContain('It works.')
  expect(await json('tags')).toMatchObject({ items: [{ slug: 'disk', skill_count: 1 }, { slug: 'monitoring' }] })
  expect(await json('categories', '--search', 'devops')).toMatchObject({ items: [{ name: 'DevOps' }] })
  expect(await json('publish-status', 'disk-usage')).toMatchObject({ status: 'published', errors: [] })
  expect(await cmdop('install', 'disk-usage', '--machine', machine)).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(
      new RegExp(
        `^the check of disk-usage runs on ${machine}: node \\./bin/disk-usage\\.mjs '\\{"paths":\\["/"\\]\\}'\ndisk-usage 1\\.0\\.0 of the fleet flt_\\w+ is on ${machine}; it works there\n$`,
      ),
    ) as string,
  })
  expect((await cmdop('install', 'disk-usage')).stderr).toMatch(
    /, and to run its check there: node \.\/bin\/disk-usage\.mjs '/,
  )
  const unchecked = await cmdop('install', 'disk-usage', '--machine', machine, '--no-check')
  expect(unchecked.stderr).toMatch(/^disk-usage .+; its check was not run: node \.\/bin\/disk-usage\.mjs '.+'\n$/)
  expect(await json('installed', machine)).toMatchObject({ items: [{ name: 'disk-usage', state: 'ok' }] })
  const run = await cmdop('run', 'disk-usage', 'check', '{"paths":["/"]}', '--machine', machine)
  expect(JSON.parse(run.stdout)).toMatchObject({ ok: true, disks: [{ path: '/' }] })
  expect(await cmdop('run', 'disk-usage', 'check', '[]', '--machine', machine)).toMatchObject({ code: 2 })
  expect(await json('my')).toMatchObject({ items: [{ slug: 'disk-usage', visibility: 'private', star_count: 1 }] })
  expect(await json('reviews', 'disk-usage')).toMatchObject({ items: [{ body: 'It works.' }] })
  expect(await json('install', 'disk-usage', '--machine', machine)).toMatchObject({
    items: [{ slug: 'disk-usage', version: '1.0.0', machineName: machine, replaced: '1.0.0', check: { ok: true } }],
  })
  expect(await json('run', 'disk-usage', 'check', '{"paths":["/"]}', '--machine', machine)).toEqual({
    output: expect.objectContaining({ ok: true }),
    stderr: '',
    duration_ms: expect.any(Number),
    effect: null,
  })
  expect(await json('uninstall', 'disk-usage', '--machine', machine)).toEqual({ items: [{ machine, removed: true }] })
  expect(await cmdop('uninstall', 'disk-usage', '--machine', machine)).toMatchObject({ code: 0 })
  expect(await json('delete', 'disk-usage')).toEqual({ slug: 'disk-usage' })
  expect(await cmdop('get', 'disk-usage')).toMatchObject({ code: 4 })
})

test('what is wrong with a folder is said line by line, and by the status of the skill', async () => {
  const folder = await world.folder()
  await writeFile(join(folder, 'SKILL.md'), '---\nname: broken\nversion: 1.0.0\ndescription: x\ntools: [x]\n---\n')
  expect((await cmdop('publish', diskUsage)).stderr).toContain('fleet sees. To make it first: --create.\n')
  expect(await cmdop('create', 'Broken')).toMatchObject({ code: 0 })
  const { code, stderr } = await cmdop('publish', folder)
  expect(code).toBe(2)
  expect(stderr).toContain('SKILL.md:5: tools.0: ')
})
