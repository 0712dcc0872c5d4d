import { fileURLToPath } from 'node:url'
import type { Attachment, Session } from '@cmdop/core'
import { describe, expect, test } from 'vitest'
import { runCli, startCli } from './processes/cli.ts'
import { waitFor } from './wait-for.ts'
import { type Watch, watch } from './watch.ts'
import { startWorld, type World } from './world.ts'

const main = fileURLToPath(new URL('../packages/cli/src/main.ts', import.meta.url))
const envOf = (world: World) => ({ CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey })

/** A terminal in which `cmdop` runs: another session of the machine. */
interface Desk extends AsyncDisposable {
  readonly attachment: Attachment
  readonly seen: Watch
}

async function startDesk(world: World, argv: string, env: Record<string, string> = {}): Promise<Desk> {
  const session = await world.handle.sessions.open({
    shell: 'sh',
    name: 'desk',
    size: { columns: 100, rows: 30 },
    env: { ...envOf(world), XDG_CONFIG_HOME: '/nonexistent', PS1: '', TERM: 'xterm-256color', ...env },
  })
  const attachment = await session.attach({ size: { columns: 100, rows: 30 } })
  const command = `${process.execPath} --conditions=@cmdop/source ${main} ${argv}`
  await attachment.write(`${command}; echo "code=$?"; stty -a | grep -o -- '.icanon'\n`)
  return { attachment, seen: watch(attachment), [Symbol.asyncDispose]: () => attachment.detach() }
}

/** The session that `cmdop ssh` opened. */
function sessionNamed(world: World, name: string): Promise<Session> {
  return waitFor(`there is a session ${name}`, async () => {
    const found = (await world.handle.sessions.list()).find((session) => session.name === name)
    return found === undefined ? undefined : world.handle.sessions.get(found.sessionId)
  })
}

test('cmdop login --key does not show the key that is typed', async () => {
  await using world = await startWorld()
  const home = { XDG_CONFIG_HOME: await world.folder() }
  await using desk = await startDesk(world, `login --url ${world.relay.url} --key`, home)
  await desk.seen.until('key: ')
  await desk.attachment.write(`${world.relay.firstKey}\r`)
  await desk.seen.until('code=0\r\n')
  await desk.seen.until(' icanon')
  expect(desk.seen.text).not.toContain(world.relay.firstKey.slice(-20))
})

describe('cmdop ssh', () => {
  test('gives a shell, passes its exit code on and restores the terminal', async () => {
    await using world = await startWorld()
    await using desk = await startDesk(world, `ssh ${world.machine.name} --shell sh --name mine`)
    await sessionNamed(world, 'mine')
    await desk.attachment.write('echo in""side; exit 9\n')
    await desk.seen.until('inside\r\n')
    await desk.seen.until('code=9\r\n')
    await desk.seen.until(' icanon')
    expect(await world.handle.sessions.list()).toHaveLength(1)
  })

  test('passes every key on, ^C included, and the size as it changes', async () => {
    await using world = await startWorld()
    await using desk = await startDesk(world, `ssh ${world.machine.name} --shell sh --name mine`)
    await sessionNamed(world, 'mine')
    await desk.attachment.write('trap "echo interr""upted" INT; stty size; sleep 300\n')
    await desk.seen.until('30 100\r\n')
    desk.attachment.resize({ columns: 77, rows: 22 })
    const session = await sessionNamed(world, 'mine')
    await waitFor('the session has the new size', async () => (await session.info()).size.columns === 77)
    await desk.attachment.write('\x03')
    await desk.seen.until('interrupted')
    await desk.attachment.write('stty size; exit\n')
    await desk.seen.until('22 77\r\n')
    await desk.seen.until('code=0')
  })

  test('leaves with ~. at the beginning of a line, and the session goes on and can be come back to', async () => {
    await using world = await startWorld()
    await using desk = await startDesk(world, `ssh ${world.machine.name} --shell sh --name mine`)
    const session = await sessionNamed(world, 'mine')
    await desk.attachment.write('echo o""ne ~.\n')
    await desk.seen.until('one ~.\r\n')
    await desk.attachment.write('~?')
    await desk.seen.until('leave; the session goes on')
    await desk.attachment.write('~.')
    await desk.seen.until(`cmdop attach ${session.id}`)
    await desk.seen.until('code=0\r\n')
    expect(await session.info()).toMatchObject({ state: 'running', operators: 0 })
    await using again = await startDesk(world, `attach ${session.id} --machine ${world.machine.name}`)
    await again.seen.until('one ~.')
    await again.attachment.write('exit 4\n')
    await again.seen.until('code=4\r\n')
  })

  test('runs what comes through a pipe, and ends with it', async () => {
    await using world = await startWorld()
    const cli = startCli(['ssh', world.machine.name, '--shell', 'sh'], envOf(world), 'echo pip""ed; (exit 6)')
    expect(await cli.done).toMatchObject({
      code: 6,
      stdout: expect.stringContaining('piped\r\n') as string,
      stderr: '',
    })
    const reading = startCli(['ssh', world.machine.name, '--shell', 'sh'], envOf(world), 'cat\nread by cat\n')
    expect(await reading.done).toMatchObject({ code: 0, stderr: '' })
  })

  test('says why there is no session, with the exit code 255', async () => {
    await using world = await startWorld()
    expect(await runCli(['ssh', 'nobody'], envOf(world))).toMatchObject({
      code: 255,
      stderr: expect.stringContaining('not_found') as string,
    })
    const observe = await runCli(['ssh', world.machine.name, '--observe'], envOf(world))
    expect(observe).toMatchObject({ code: 255, stderr: expect.stringContaining('no running session') as string })
  })
})

describe('cmdop attach', () => {
  test('tells who has the keyboard and whose size it is, and takes it from an AI with ~t', async () => {
    await using world = await startWorld()
    const { rawToken: token } = await world.client.keys.issue({ name: 'robot', kind: 'ai', role: 'member' })
    const machine = await world.connect({ token }).machine(world.machine.id)
    const session = await machine.sessions.open({ shell: 'sh', name: 'shared', env: { PS1: '' } })
    await using ai = await session.attach({ size: { columns: 66, rows: 11 } })
    await using desk = await startDesk(world, 'attach shared')
    await desk.seen.until('robot has the keyboard')
    await desk.seen.until('66 x 11')
    await desk.attachment.write('echo refused\n')
    await desk.seen.until('is typing in this session')
    await desk.attachment.write('~t')
    await desk.seen.until('you have the keyboard')
    await watch(ai).next('lease')
    await waitFor('the AI knows', () => ai.lease?.principalKind === 'human')
    await desk.attachment.write('echo ta""ken\n')
    await desk.seen.until('taken\r\n')
    await desk.attachment.write('~.')
    await desk.seen.until('code=0')
  })

  test('with --observe types nothing', async () => {
    await using world = await startWorld()
    const session = await world.handle.sessions.open({ shell: 'sh', name: 'watched', env: { PS1: '' } })
    await using operator = await session.attach()
    await using desk = await startDesk(world, 'attach watched --observe')
    await desk.seen.until('you observe this session')
    await desk.attachment.write('echo never\n')
    await desk.seen.until('an observer does not type')
    await operator.write('echo sho""wn; exit 3\n')
    await desk.seen.until('shown')
    await desk.seen.until('code=3')
    expect(desk.seen.text).not.toContain('\nnever')
  })

  test('finds a session by a prefix of its id on any machine, and refuses one that is not there', async () => {
    await using world = await startWorld()
    const session = await world.handle.sessions.open({ shell: 'sh', env: { PS1: '' } })
    await using desk = await startDesk(world, `attach ${session.id.slice(0, 20)} --take`)
    await waitFor('it is attached', async () => (await session.info()).operators === 1)
    await desk.attachment.write('exit 2\n')
    await desk.seen.until('code=2')
    expect(await runCli(['attach', 'nothing'], envOf(world))).toMatchObject({ code: 255 })
    expect(await runCli(['attach', 'x', '--take', '--observe'], envOf(world))).toMatchObject({ code: 255 })
  })
})

describe('cmdop sessions', () => {
  test('lists what runs on every machine, as a table and as JSON', async () => {
    await using world = await startWorld({ machines: 2 })
    const other = await world.client.machine(world.machines[1]?.id ?? '')
    await world.handle.sessions.open({ shell: 'sh', name: 'first' })
    const second = await other.sessions.open({ shell: 'sh', name: 'second' })
    const table = await runCli(['sessions'], envOf(world))
    expect(table).toMatchObject({ code: 0, stderr: '' })
    expect(table.stdout).toMatch(/machine-0 +first +terminal +running/)
    expect(table.stdout).toMatch(/machine-1 +second +terminal +running/)
    const json = await runCli(['sessions', '--json', '--machine', other.name], envOf(world))
    expect(JSON.parse(json.stdout)).toMatchObject({
      items: [{ sessionId: second.id, machineName: other.name, name: 'second', state: 'running' }],
      failed: [],
    })
    await second.close()
    expect(
      JSON.parse((await runCli(['sessions', '--json', '--machine', other.name], envOf(world))).stdout).items,
    ).toEqual([])
    const ended = await runCli(['sessions', '--json', '--ended', '--machine', other.name], envOf(world))
    expect(JSON.parse(ended.stdout).items).toMatchObject([{ state: 'ended', endReason: 'closed' }])
  })
})
