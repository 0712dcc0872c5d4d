import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli } from './processes/cli.ts'
import { startWorld, type World } from './world.ts'

let world: World
let ann: Record<string, string>
const owner = () => ({ CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey })
beforeAll(async () => {
  world = await startWorld()
  ann = { XDG_CONFIG_HOME: await world.folder() }
})
afterAll(() => world[Symbol.asyncDispose]())

const json = async (argv: string[], env: Record<string, string>) => {
  const { code, stdout, stderr } = await runCli([...argv, '--json'], env)
  expect(`${code} ${stderr}`).toMatch(/^0 /)
  return JSON.parse(stdout)
}

describe('a person', () => {
  test('joins by a link, is signed in from then on, and signs out', async () => {
    const invite = await runCli(['members', 'invite', 'ann@example.com', '--role', 'admin', '--group', 'ops'], owner())
    const [, link = ''] = /^cmdop join "(.*)"\n$/.exec(invite.stdout) ?? []
    expect(await runCli(['join', link, '--name', 'Ann'], ann)).toMatchObject({ code: 0 })
    const file = join(ann['XDG_CONFIG_HOME'] ?? '', 'cmdop', 'config.json')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ token: expect.stringMatching(/^cmdop_session_/) })
    const { stdout } = await runCli(['whoami'], ann)
    expect(stdout).toMatch(/^ann@example\.com: human, admin, of ops, fleet flt_\w+, by a session until /)
    expect(await runCli(['exec', 'machine-0', '--', 'echo', 'hi'], ann)).toMatchObject({ code: 0, stdout: 'hi\n' })
    const { items } = await json(['login', 'list'], ann)
    expect(items).toMatchObject([{ current: true, ip: '127.0.0.1' }])
    expect(await runCli(['logout'], ann)).toMatchObject({ code: 0, stderr: 'signed out\n' })
    expect((await runCli(['whoami'], ann)).stderr).toContain('cmdop login --url <relay>.')
  })

  test('signs in with a code, and ends another session', async () => {
    const code = async () => (await runCli(['members', 'code', 'ann@example.com'], owner())).stdout.trim()
    const login = async (env: Record<string, string>) =>
      json(['login', '--url', world.relay.url, '--email', 'ann@example.com', '--code', await code()], env)
    await login(ann)
    const elsewhere = await login({ XDG_CONFIG_HOME: await world.folder() })
    expect((await runCli(['login', 'code'], ann)).stdout).toMatch(/^\w{4}-\w{4}\n$/)
    expect(await runCli(['login', 'revoke', elsewhere.session_id], ann)).toMatchObject({ code: 0 })
    const { items } = await json(['login', 'list'], ann)
    expect(items).toHaveLength(1)
    const wrong = await runCli(['login', '--email', 'ann@example.com', '--code', 'AAAA-AAAA'], ann)
    expect(wrong.stderr).toContain('auth: The email or the code is wrong')
  })

  test('is listed, changed and removed', async () => {
    expect((await runCli(['members', 'set-role', 'ann@example.com', 'viewer'], owner())).stderr).toContain('viewer')
    expect((await runCli(['members', 'set-groups', 'ann@example.com', 'security'], owner())).stderr).toContain(
      'security',
    )
    const { stdout } = await runCli(['members', 'list'], owner())
    expect(stdout).toMatch(/^ann@example\.com +Ann +viewer +security +no /m)
    expect(await runCli(['members', 'remove', 'ann@example.com'], owner())).toMatchObject({
      code: 0,
      stderr: 'ann@example.com is removed; what acted for that member has ended\n',
    })
    expect((await runCli(['whoami'], ann)).stderr).toContain('auth')
    const fleet = await runCli(['fleet', 'settings', '--mfa-required', 'required', '--four-eyes', 'on'], owner())
    expect(fleet.stdout).toBe('authenticator: required\nfour eyes: on\n')
  })
})

test('keys are issued with limits, listed, rotated and revoked', async () => {
  const argv = ['keys', 'issue', 'checks', '--kind', 'ai', '--action', 'machine.exec', '--machine', 'machine-*']
  const issued = await json([...argv, '--from', '127.0.0.1', '--max-targets', '3', '--days', '9'], owner())
  const robot = { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: issued.raw_token }
  expect(await json(['whoami'], robot)).toMatchObject({
    kind: 'ai',
    credential: {
      scopes: [{ actions: ['machine.exec'], machines: { ids: [], names: ['machine-*'] } }],
      max_targets_per_run: 3,
    },
  })
  const rotated = await json(['keys', 'rotate', issued.id], owner())
  expect((await runCli(['whoami'], robot)).stderr).toContain('auth')
  const { stdout } = await runCli(['keys', 'list'], owner())
  expect(stdout).toMatch(new RegExp(`^${rotated.id} +checks +ai +member +until .* machine\\.exec$`, 'm'))
  expect(await runCli(['keys', 'revoke', rotated.id], owner())).toMatchObject({
    code: 0,
    stderr: `${rotated.id} is revoked; what ran for it has ended\n`,
  })
})

test('a machine gets another key, and one that is in no quarantine is released without harm', async () => {
  const { public_key_fingerprint: print } = await json(['machine', 'rotate-key', '--data', world.machine.dataDir], {})
  expect((await world.client.machines.get(world.machine.id)).publicKeyFingerprint).toBe(print)
  expect((await runCli(['machines', 'release', 'machine-0'], owner())).stderr).toContain('machine-0 is released')
})
