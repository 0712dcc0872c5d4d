import { existsSync } from 'node:fs'
import { appendFile, chmod, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { createAgent } from '@cmdop/agent'
import { scriptedModel } from '@cmdop/agent/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { codeOf } from './code-of.ts'
import { publishDiskUsage, scriptSkill } from './skill-worlds.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
  await publishDiskUsage(world.client)
})
afterAll(() => world[Symbol.asyncDispose]())

const install = () => world.client.skills.install('disk-usage', { machine: world.machine.name, check: false })
const run = () => world.handle.skills.run('disk-usage', 'check', { paths: ['/'] })

/** Somebody between a client and the registry, who changes what is installed. */
async function tamper(change: (record: string) => string) {
  const server = createServer((request, response) => {
    void forward(request).then(([status, text]) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(request.url?.includes('/install/') === true ? change(text) : text)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}

async function forward({ method = 'GET', url = '', headers }: IncomingMessage): Promise<[number, string]> {
  const key = headers['x-api-key']
  const answer = await fetch(`${world.relay.url}${url}`, {
    method,
    headers: typeof key === 'string' ? { 'x-api-key': key } : {},
  })
  return [answer.status, await answer.text()]
}

describe('a byte that is changed on the way', () => {
  const cases: Record<string, (record: string) => string> = {
    'of a file': (record) => record.replace('import { statfs }', 'import { STATFS }'),
    'of a file and its digest': (record) => {
      const parsed = JSON.parse(record) as { files: { path: string; content: string; sha256: string }[] }
      const [one, other] = parsed.files
      if (one !== undefined && other !== undefined) [one.content, one.sha256] = [other.content, other.sha256]
      return JSON.stringify(parsed)
    },
    'of the digest of the whole': (record) => record.replace(/"sha256":"[0-9a-f]{4}/, '"sha256":"0000'),
    'of a right to be run': (record) => record.replace('"executable":false', '"executable":true'),
    'of a path': (record) => record.replace('"path":"bin/disk-usage.mjs"', '"path":"../disk-usage.mjs"'),
    'of what is said beside the files': (record) => record.replace('"run_check":"node', '"run_check":"id;node'),
    'of the text beside the files': (record) => record.replace('"skill_md":"---', '"skill_md":" ---'),
  }
  test.each(Object.keys(cases))('is refused, and nothing is installed: %s', async (name) => {
    await using proxy = await tamper(cases[name] ?? String)
    const client = world.connect({ apiBaseUrl: proxy.url, apiKey: world.relay.firstKey, retries: 0 })
    const code = await codeOf(() => client.skills.install('disk-usage', { machine: world.machine.name }))
    expect(['integrity', 'validation']).toContain(code)
    expect(await client.skills.installed(world.machine.name)).toEqual([])
  })

  test('is refused by the machine too, which looks for itself', async () => {
    const { files, sha256, version } = await world.client.skills.install('disk-usage')
    const sent = files.map(({ path, content, encoding, executable }) => ({ path, content, encoding, executable }))
    const skill = { name: 'disk-usage', version, sha256, from: 'a test' }
    const changed = sent.map((file) => ({ ...file, content: file.content.replace('Disk usage', 'Disk Usage') }))
    expect(await codeOf(() => world.handle.skills.install({ ...skill, files: changed }))).toBe('integrity')
    expect(await codeOf(() => world.handle.skills.install({ ...skill, version: '2.0.0', files: sent }))).toBe(
      'integrity',
    )
    const outside = [...sent, { path: '../../outside', content: '', encoding: 'utf8' as const, executable: true }]
    expect(await codeOf(() => world.handle.skills.install({ ...skill, files: outside }))).toBe('validation')
    expect(await world.handle.skills.list()).toEqual([])
    expect(await codeOf(() => world.client.skills.install('disk-usage', { sha256: '0'.repeat(64) }))).toBe('integrity')
  })
})

describe('a byte that is changed on the disk of the machine', () => {
  const changes: Record<string, (folder: string) => Promise<unknown>> = {
    'more in a file': (folder) => appendFile(join(folder, 'bin/disk-usage.mjs'), ' '),
    'more in its text': (folder) => appendFile(join(folder, 'SKILL.md'), ' '),
    'a file that came in': (folder) => writeFile(join(folder, 'bin/statfs.mjs'), ''),
    'a file that is gone': (folder) => rm(join(folder, 'SKILL.md')),
    'a file that is a link': async (folder) => {
      await rm(join(folder, 'SKILL.md'))
      await symlink('/etc/hostname', join(folder, 'SKILL.md'))
    },
    'a file that others may write': (folder) => chmod(join(folder, 'SKILL.md'), 0o666),
    'a folder that others may write': (folder) => chmod(join(folder, 'bin'), 0o777),
  }
  test.each(Object.keys(changes))(
    'is refused when it is run, and installing it again puts it right: %s',
    async (name) => {
      await install()
      expect((await run()).output['ok']).toBe(true)
      const { folder } = await world.handle.skills.get('disk-usage')
      await changes[name]?.(folder)
      await expect(run()).rejects.toMatchObject({ code: 'integrity', details: { skill: 'disk-usage' } })
      expect(await world.handle.skills.list()).toMatchObject([{ name: 'disk-usage', state: 'changed' }])
      await install()
      expect(await world.handle.skills.list()).toMatchObject([{ state: 'ok', changed: [] }])
    },
  )

  test('is refused between looking at the skill and running it', async () => {
    await install()
    const { folder, sha256 } = await world.handle.skills.get('disk-usage')
    const command = ['node', join(folder, 'bin/disk-usage.mjs'), '{"paths":["/"]}']
    const skill = { name: 'disk-usage', sha256, tool: 'check' }
    expect(await world.handle.exec(command, { skill })).toMatchObject({ exitCode: 0 })
    await appendFile(join(folder, 'bin/disk-usage.mjs'), ' ')
    expect(await codeOf(() => world.handle.exec(command, { skill }))).toBe('integrity')
  })

  test('is told to an operator, which uses nothing of the skill', async () => {
    await install()
    const { folder } = await world.handle.skills.get('disk-usage')
    await appendFile(join(folder, 'bin/disk-usage.mjs'), ' ')
    const calls = (tool: string, input: object) => ({ calls: [{ tool, input }] })
    using model = scriptedModel([
      calls('skill_list', {}),
      calls('skill_read', { skill: 'disk-usage' }),
      calls('skill_run', { skill: 'disk-usage', tool: 'check', input: { paths: ['/'] } }),
      { text: 'It was changed.' },
    ])
    const { toolCalls } = await createAgent({ machine: world.handle, model }).run('How full is it?')
    expect(toolCalls[0]?.output).toMatchObject({ skills: [{ name: 'disk-usage', state: 'changed' }] })
    expect(toolCalls.slice(1).map(({ output }) => String(output))).toEqual([
      expect.stringContaining('integrity'),
      expect.stringContaining('integrity'),
    ])
  })
})

test('a command that says that it is of a skill runs only if it is exactly that', async () => {
  await install()
  const { folder, sha256 } = await world.handle.skills.get('disk-usage')
  const file = join(folder, 'bin/disk-usage.mjs')
  const skill = { name: 'disk-usage', sha256, tool: 'check' }
  const other = async (command: string | string[], change: object = {}) =>
    codeOf(() => world.handle.exec(command, { skill: { ...skill, ...change } }))
  expect(await other(['node', file])).toBe('validation')
  expect(await other(['node', '/etc/passwd', '{"paths":["/"]}'])).toBe('validation')
  expect(await other(['node', file, '{"paths":["/"]}', 'more'])).toBe('validation')
  expect(await other(['node', file, '{"paths":7}'])).toBe('validation')
  expect(await other(`node ${file} '{}'`)).toBe('validation')
  expect(await other('id', { tool: null })).toBe('validation')
  expect(await other(['node', file, '{"paths":["/"]}'], { sha256: '0'.repeat(64) })).toBe('conflict')
  expect(await other(['node', file, '{"paths":["/"]}'], { name: 'none' })).toBe('not_found')
  expect(await other(['node', file, '{"paths":["/"]}'], { tool: 'none' })).toBe('not_found')
})

test('a skill for another version of its program is marked as it is installed, and never runs', async () => {
  const { client, machine, handle } = world
  const never = join(await world.folder(), 'never')
  const install = async (name: string, range: string) => {
    await client.skills.create(name)
    const front = `runtime: { node: '${range}' }\nrun_check: echo >> ${never}`
    await client.skills.publish(name, { files: scriptSkill(name, `echo '{"ok":true}'`, front) })
    return client.skills.install(name, { machine: machine.name })
  }
  const versions = [{ bin: 'node', range: '>=99', found: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string }]
  const later = await install('later', '>=99')
  expect(later.missing).toEqual({ bins: [], env: [], versions })
  expect(later.check).toMatchObject({ ok: false, error: { code: 'command_not_found' } })
  await expect(handle.skills.run('later', 'go', {})).rejects.toMatchObject({
    code: 'command_not_found',
    message: expect.stringMatching(
      /requires node >=99, which is \d+\.\d+\.\d+ on the machine\. Nothing ran\./,
    ) as string,
    details: { missing: { bins: [], env: [], versions } },
  })
  expect(existsSync(never)).toBe(false)
  expect((await install('now', '>=18, <99')).missing).toEqual({ bins: [], env: [], versions: [] })
  expect((await handle.skills.run('now', 'go', {})).output['ok']).toBe(true)
  await client.skills.create('unread')
  const unread = scriptSkill('unread', 'true', 'runtime: { node: latest }')
  await expect(client.skills.publish('unread', { files: unread })).rejects.toMatchObject({
    message: expect.stringContaining('runtime.node: Expected a range of versions') as string,
  })
})

test('the program of another PATH is not asked for its version: it would run outside all restrictions', async () => {
  const { client, machine, handle } = world
  const home = await world.folder()
  const asked = join(home, 'asked')
  await writeFile(join(home, 'node'), `#!/bin/sh\necho >> ${asked}\n`, { mode: 0o755 })
  await client.skills.create('elsewhere')
  const front = "runtime: { node: '>=18' }"
  await client.skills.publish('elsewhere', { files: scriptSkill('elsewhere', `echo '{"ok":true}'`, front) })
  await client.skills.install('elsewhere', { machine: machine.name })
  const env = { PATH: `${home}:${process.env['PATH'] ?? ''}` }
  expect((await handle.skills.run('elsewhere', 'go', {}, { env })).output['ok']).toBe(true)
  expect(existsSync(asked)).toBe(false)
})

test('what a skill requires is named before anything runs, and a tool that fails says what it gave', async () => {
  const { client, machine, handle } = world
  const publish = async (name: string, script: string, front = '') => {
    await client.skills.create(name)
    await client.skills.publish(name, { files: scriptSkill(name, script, front) })
    return client.skills.install(name, { machine: machine.name })
  }
  const installed = await publish(
    'needy',
    'echo 7 > /tmp/never',
    'run_check: "true"\nrequires: { bins: [no-such-bin], env: [NO_TOKEN] }',
  )
  expect(installed.missing).toEqual({ bins: ['no-such-bin'], env: ['NO_TOKEN'], versions: [] })
  expect(installed.check).toMatchObject({ ok: false, error: { code: 'command_not_found' } })
  await expect(handle.skills.run('needy', 'go', {}, { env: { NO_TOKEN: 'x' } })).rejects.toMatchObject({
    code: 'command_not_found',
    details: { missing: { bins: ['no-such-bin'], env: [], versions: [] } },
  })
  await publish('variable', `printf '{"ok":true,"word":"%s"}' "$WORD"`, 'requires: { env: [WORD] }')
  expect(await codeOf(() => handle.skills.run('variable', 'go', {}))).toBe('config')
  expect((await handle.skills.run('variable', 'go', {}, { env: { WORD: 'said' } })).output['word']).toBe('said')
  await publish('failing', `echo '{"ok":false,"error":"the disk is gone"}'; exit 1`)
  await expect(handle.skills.run('failing', 'go', {})).rejects.toMatchObject({
    code: 'skill_failed',
    message: expect.stringContaining('the disk is gone') as string,
    details: { reason: 'not_ok', exitCode: 1 },
  })
  await publish('talking', 'echo hello')
  await expect(handle.skills.run('talking', 'go', {})).rejects.toMatchObject({ details: { reason: 'no_json' } })
  await publish('untyped', `echo '{"ok":true,"word":7}'`)
  await expect(handle.skills.run('untyped', 'go', {})).rejects.toMatchObject({ details: { reason: 'schema' } })
  expect(await codeOf(() => handle.skills.run('untyped', 'go', { other: 1 }))).toBe('validation')
})
