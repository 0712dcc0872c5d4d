import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { httpClient, stdioClient, toldClient } from './mcp-clients.ts'
import { startCli } from './processes/cli.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
let env: Record<string, string>
/** A folder with a file `kept`. */
let folder = ''
beforeAll(async () => {
  world = await startWorld()
  env = { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey }
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  folder = await world.folder()
  await writeFile(join(folder, 'kept'), 'kept\n')
})

test('with --dry-run calls see what earlier ones changed, nobody else does, and the end says how to apply exactly that', async () => {
  await using mcp = await toldClient(env, '--machine', world.handle.name, '--dry-run')
  expect(mcp.client.getInstructions()).toContain('{"dryRun":true}')
  await mcp.call('run_command', { command: `cd '${folder}' && mv kept moved` })
  const listed = await mcp.call('run_command', { command: 'ls' })
  expect(listed.text).toContain('\nmoved\n')
  await mcp.call('write_file', { path: join(folder, 'written'), content: 'written' })
  expect(await readdir(folder)).toEqual(['kept'])
  const said = await mcp.close()
  const [, effectId = '', hash = ''] = /: cmdop effects apply \S+ (\S+) --hash (\S+)/.exec(said) ?? expect.fail(said)
  expect(said).toContain(`mcp: not applied on ${world.handle.name}: 1 moved, 1 added; look with: cmdop effects show`)
  await world.handle.effects.apply(effectId, hash)
  expect((await readdir(folder)).toSorted()).toEqual(['moved', 'written'])
})

test('with --no-delete a call that deletes is refused as a whole, and the others are applied', async () => {
  await using mcp = await toldClient(env, '--no-delete')
  const machine = world.handle.name
  const refused = await mcp.call('run_command', { machine, command: `cd '${folder}' && touch new && rm kept` })
  expect(refused.error).toMatchObject({ code: 'restriction_violated', retryable: false })
  expect(await readdir(folder)).toEqual(['kept'])
  const added = await mcp.call('run_command', { machine, command: `touch '${folder}/new'` })
  expect(added.isError).toBe(false)
  expect((await readdir(folder)).toSorted()).toEqual(['kept', 'new'])
  expect(await mcp.close()).toMatch(/applied on \S+: 1 added; take it back with: cmdop effects undo /)
})

test('what cannot be held is told by each call, and nothing runs', async () => {
  await using mcp = await stdioClient(env, '--no-sudo')
  const call = () => mcp.call('run_command', { machine: world.handle.name, command: `rm '${folder}/kept'` })
  expect((await call()).error?.code).toBe('restriction_unenforceable')
  expect((await call()).error?.code).toBe('restriction_unenforceable')
  expect(await readdir(folder)).toEqual(['kept'])
})

test('a session that somebody closed is told once, and the next call has another one', async () => {
  await using mcp = await stdioClient(env, '--machine', world.handle.name, '--no-delete')
  await mcp.call('run_command', { command: 'true' })
  const [session = expect.fail('It has no session.')] = await world.handle.sessions.list()
  await (await world.handle.sessions.get(session.sessionId)).close()
  expect((await mcp.call('run_command', { command: 'true' })).error?.code).toBe('session_ended')
  expect((await mcp.call('run_command', { command: 'echo again' })).text).toContain('again')
})

test('over HTTP a client that leaves ends its session, and is told what it would have changed', async () => {
  const server = startCli(['mcp', '--http', '--port', '0', '--dry-run'], env)
  const shown = (pattern: RegExp) => waitFor(`it says ${pattern}`, () => pattern.exec(server.stderr())?.[1], 30_000)
  await using mcp = await httpClient(await shown(/at (http:\S+)/), await shown(/shown only now: (\S+)/))
  await mcp.call('run_command', { machine: world.handle.name, command: `rm '${folder}/kept'` })
  await mcp.leave()
  await shown(/(1 deleted; look with: cmdop effects show)/)
  expect(await world.handle.sessions.list()).toEqual([])
  expect(await readdir(folder)).toEqual(['kept'])
  server.child.kill('SIGTERM')
  expect(await server.done).toMatchObject({ code: 0 })
})
