import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli } from './processes/cli.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
const owner = () => ({ CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey })
beforeAll(async () => {
  // Nobody takes mails there: that one was to be sent is a row.
  world = await startWorld({ relay: { smtp: { url: 'smtp://127.0.0.1:9', from: 'relay@example.com' } } })
})
afterAll(() => world[Symbol.asyncDispose]())

const run = async (...argv: string[]) => {
  const { code, stdout, stderr } = await runCli(argv, owner())
  expect(`${argv.join(' ')}: ${code} ${stderr}`).toMatch(/: 0 /)
  return { stdout, stderr }
}
const json = async (...argv: string[]) => JSON.parse((await run(...argv, '--json')).stdout)

describe('cmdop machines', () => {
  test('has a command for every method', async () => {
    expect(withoutTimes(await run('machines', 'list'))).toBe(withoutTimes(await run('machines')))
    expect((await run('machines', 'get', 'machine-0')).stdout).toMatch(/^state +online$/m)
    expect(await json('machines', 'get', 'machine-0')).toMatchObject({ name: 'machine-0', is_jarvis: false })
    expect(await json('machines', 'update', 'machine-0', '--name', 'web')).toMatchObject({ name: 'web' })
    await run('machines', 'label', 'web', 'role=web')
    expect((await run('machines', 'labels', 'web')).stdout).toBe('role=web\n')
    expect((await run('machines', 'info', 'web')).stdout).toMatch(/^ {2}stale +false$/m)
    expect(await json('machines', 'info', 'web')).toMatchObject({ presence: { status: 'healthy' } })
    expect((await run('machines', 'spend', 'web')).stdout).toContain('0 calls')
    expect(await json('machines', 'messages', 'web')).toMatchObject({ messages: [] })
    expect((await run('machines', 'active-session', 'web')).stdout).toBe('')
    expect((await run('machines', 'clear-messages', 'web')).stderr).toContain('0 messages')
    expect((await run('machines', 'ping', 'web')).stdout).toMatch(/^web {2}[\d.]+ ms\n$/)
    expect(await json('machines', 'labels', 'web')).toEqual({ role: 'web' })
    expect(await json('machines', 'label', 'web', 'zone=b', 'role-')).toEqual({ zone: 'b' })
    expect(await json('machines', 'spend', 'web')).toMatchObject({ window: '7d', total_usd: 0 })
    expect(await json('machines', 'active-session', 'web')).toEqual({ session_id: '' })
    expect(await json('machines', 'clear-messages', 'web')).toEqual({ agent_session_id: null, deleted: 0 })
    expect(await json('machines', 'ping', 'web')).toEqual({
      items: [{ machine_id: world.machine.id, round_trip_ms: expect.any(Number) }],
    })
    await run('machines', 'disable', 'web')
    expect((await run('machines', 'list', '--disabled')).stdout).toMatch(/^web +disabled /m)
    expect((await run('machines', 'get', 'web')).stdout).toMatch(/^state +disabled$/m)
    expect((await run('machines', 'enable', 'web')).stderr).toContain('web is enabled')
    await world.machine.restart()
    await world.whenOnline(world.machine)
    await run('machines', 'update', 'web', '--name', 'machine-0')
  })
})

describe('cmdop fleets', () => {
  test('makes fleets, lets people in and takes machines there, and ends them', async () => {
    expect(await json('fleets', 'create', 'staging', '--name', 'Staging')).toMatchObject({ mfa_required: 'optional' })
    expect((await run('fleets', 'list')).stdout).toMatch(/^staging +Staging +owner +optional /m)
    expect(await json('fleets', 'update', 'staging', '--mfa-required', 'none')).toMatchObject({
      name: 'Staging',
      mfa_required: 'none',
    })
    expect((await json('fleets', 'get', 'staging')).slug).toBe('staging')
    expect((await json('fleets', 'get')).slug).toBe('default')
    await run('members', 'add', 'ann@example.com', '--role', 'admin', '--fleet', 'staging')
    expect((await run('members', 'list', '--fleet', 'staging')).stdout).toMatch(/^ann@example\.com +ann +admin /m)
    expect((await run('members', 'list')).stdout).not.toContain('ann@example.com')
    await run('members', 'set-role', 'ann@example.com', 'viewer', '--fleet', 'staging')
    const issued = await json('keys', 'issue', 'there', '--fleet', 'staging')
    expect((await run('keys', 'list', '--fleet', 'staging')).stdout).toContain(issued.id)
    await run('keys', 'revoke', issued.id, '--fleet', 'staging')
    expect((await run('fleets', 'attach', 'staging', 'machine-0')).stderr).toContain('machine-0 is in staging now')
    expect((await run('fleets', 'machines', 'staging')).stdout).toContain('machine-0')
    await run('fleets', 'detach', 'staging', 'machine-0')
    expect((await run('fleets', 'machines', 'staging')).stdout).not.toContain('machine-0')
    await run('fleets', 'disable', 'staging')
    expect((await run('fleets', 'list')).stdout).not.toContain('staging')
    expect((await runCli(['fleets', 'get', 'staging'], owner())).code).toBe(4)
  })

  test('asks for the code of the fleet in which somebody signs in', async () => {
    const { client } = world
    const { id: fleetId } = await client.fleets.create({ name: 'Far', slug: 'far' })
    const { userId } = await client.members.add({ email: 'bob@example.com' }, { fleetId })
    // Somebody else of that email, in the older fleet.
    await client.members.add({ email: 'bob@example.com' })
    const { rawToken: token } = await client.keys.issue({ name: 'auditor', role: 'admin' }, { fleetId })
    const login = ['login', '--email', 'bob@example.com', '--fleet', 'far', '--url', world.relay.url]
    await runCli(login)
    const auditor = world.connect({ token })
    await waitFor('a code was to be sent', async () => {
      const { items } = await auditor.audit.getLogs({ subject: `member:${userId} mail` })
      return items.length > 0
    })
  })
})

/** When a machine was heard of last is another time each time. */
function withoutTimes({ stdout }: { stdout: string }): string {
  return stdout.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '')
}

test('schedules are made and listed in another fleet with --fleet', async () => {
  await using other = await startWorld()
  const env = { CMDOP_BASE_URL: other.relay.url, CMDOP_TOKEN: other.relay.firstKey }
  const said = async (...argv: string[]) => {
    const { code, stdout, stderr } = await runCli([...argv, '--json'], env)
    expect(`${code} ${stderr}`).toMatch(/^0 /)
    return JSON.parse(stdout)
  }
  await said('fleets', 'create', 'munich')
  await said('fleets', 'attach', 'munich', 'machine-0')
  const work = ['--name', 'nightly', '--cron', '@daily', '--command', 'echo ran', '--machine', 'machine-0']
  const made = await said('schedules', 'create', ...work, '--fleet', 'munich')
  expect(made).toMatchObject({ machine_ids: [other.machine.id] })
  expect((await said('schedules', 'list', '--fleet', 'munich')).items).toMatchObject([{ id: made.id }])
  expect((await said('schedules', 'list')).items).toEqual([])

  // A machine is named there as in the fleet of the key.
  const second = await other.addMachine('machine-1')
  await said('fleets', 'attach', 'munich', 'machine-1')
  const at = (machine: string, ...argv: string[]) =>
    runCli(['schedules', 'update', made.id, '--machine', machine, '--fleet', 'munich', '--json', ...argv], env)
  for (const reference of ['machine-1', second.id, second.id.slice(0, -1)]) {
    const { code, stdout, stderr } = await at(reference)
    expect(`${reference}: ${code} ${stderr}`).toMatch(/: 0 /)
    expect(JSON.parse(stdout)).toMatchObject({ machine_ids: [second.id] })
  }
  expect(JSON.parse((await at('machine-')).stdout).error).toMatchObject({
    code: 'ambiguous',
    details: {
      candidates: expect.arrayContaining([{ id: second.id, name: 'machine-1', hostname: expect.any(String) }]),
    },
  })
  for (const reference of ['m', 'elsewhere'])
    expect(await at(reference)).toMatchObject({ code: 4, stdout: expect.stringContaining('not_found') })
})
