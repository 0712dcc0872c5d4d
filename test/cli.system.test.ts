import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { runCli, startCli } from './processes/cli.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

const envOf = (world: World) => ({ CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey })

describe('cmdop exec', () => {
  test('passes output and exit code of the command on', async () => {
    await using world = await startWorld()
    const result = await runCli(
      ['exec', world.machine.name, '--', 'sh', '-c', 'echo out; echo err >&2; exit 7'],
      envOf(world),
    )
    expect(result).toEqual({ code: 7, stdout: 'out\n', stderr: 'err\n' })
  })

  test('prints one JSON document and nothing else with --json, for results and for errors', async () => {
    await using world = await startWorld()
    const good = await runCli(
      ['exec', world.machine.name, '--json', '--shell', '--', 'echo hi; kill -9 $$'],
      envOf(world),
    )
    expect(good.code).toBe(137)
    expect(JSON.parse(good.stdout)).toMatchObject({
      machine: { name: world.machine.name },
      exitCode: null,
      signal: 'SIGKILL',
      stdout: 'hi\n',
    })
    const bad = await runCli(['exec', world.machine.name, '--json', '--', 'no-such-program'], envOf(world))
    expect(bad.code).toBe(255)
    expect(JSON.parse(bad.stdout)).toMatchObject({ error: { code: 'command_not_found', retryable: false } })
    expect(bad.stderr).toBe('')
  })

  test('stops the command on the machine at the first ^C, and exits with 130', async () => {
    await using world = await startWorld()
    const mark = newMark()
    const running = startCli(['exec', world.machine.name, '--', 'sh', '-c', `sleep 300 # ${mark}`], envOf(world))
    // The command line itself carries the mark too.
    await waitFor('the command runs on the machine', async () => (await whenRunning(mark, 2)).length > 1)
    running.child.kill('SIGINT')
    const { code, stderr } = await running.done
    expect(code).toBe(130)
    expect(stderr).toContain('cancelled')
    await whenGone(mark)
  })

  test('stops the command at its deadline, and exits with 124', async () => {
    await using world = await startWorld()
    const { code, stderr } = await runCli(
      ['exec', world.machine.name, '--deadline', '300ms', '--', 'sleep', '300'],
      envOf(world),
    )
    expect(code).toBe(124)
    expect(stderr).toContain('deadline: The command did not end within 300 ms')
  })

  test('ends the command and itself when nobody reads its output any more', async () => {
    await using world = await startWorld()
    const mark = newMark()
    const running = startCli(['exec', world.machine.name, '--env', `MARK=${mark}`, '--', 'yes'], envOf(world))
    await waitFor('there is output', () => running.stdout().length > 0)
    running.child.stdout?.destroy()
    expect(await running.done).toMatchObject({ code: 141, stderr: '' })
    await whenGone(mark)
  })

  test('works on this machine where no relay is configured', async () => {
    const result = await runCli(['exec', 'local', '--', 'echo', 'here'])
    expect(result).toMatchObject({ code: 0, stdout: 'here\n' })
    const other = await runCli(['exec', 'web-1', '--', 'true'])
    expect(other.code).toBe(255)
    expect(other.stderr).toContain('cmdop up')
  })
})

describe('cmdop run', () => {
  test('answers with the schema of a JSON file, filled from the facts of the machine', async () => {
    await using world = await startWorld()
    const schema = join(await world.folder(), 'schema.json')
    await writeFile(
      schema,
      JSON.stringify({
        type: 'object',
        properties: { hostname: { type: 'string' }, cpu_cores: { type: 'integer' } },
        required: ['hostname', 'cpu_cores'],
        additionalProperties: false,
      }),
    )
    const result = await runCli(
      ['run', 'Which machine is this?', '--machine', world.machine.name, '--schema', schema, '--json'],
      envOf(world),
    )
    expect(result.code).toBe(0)
    expect(JSON.parse(result.stdout)).toMatchObject({
      status: 'completed',
      model: { id: 'facts' },
      machine: { name: world.machine.name },
    })
    expect(result.stderr).toContain('facts')
  })

  test('takes a Zod schema of a TypeScript file', async () => {
    await using world = await startWorld()
    const schema = new URL('../examples/start/src/server-health.ts', import.meta.url).pathname
    const result = await runCli(
      ['run', 'Check server health', '--machine', world.machine.name, '--schema', schema],
      envOf(world),
    )
    expect(result.code).toBe(0)
    expect(JSON.parse(result.stdout)).toMatchObject({ hostname: world.handle.hostname })
  })

  test('names the fields it cannot fill and what to set, and exits with 7', async () => {
    await using world = await startWorld()
    const schema = join(await world.folder(), 'schema.json')
    await writeFile(
      schema,
      JSON.stringify({ type: 'object', properties: { mood: { type: 'string' } }, required: ['mood'] }),
    )
    const result = await runCli(
      ['run', 'How are you?', '--machine', world.machine.name, '--schema', schema, '--json'],
      envOf(world),
    )
    expect(result.code).toBe(7)
    expect(JSON.parse(result.stdout)).toMatchObject({ status: 'failed', error: { code: 'model_refused' } })
    expect(result.stdout).toMatch(/mood[\s\S]*ANTHROPIC_API_KEY/)
  })

  test.each([
    ['{}', 'schema_invalid'],
    ['not json', 'config'],
    ['[]', 'schema_invalid'],
  ])('refuses the schema file %s with %s and exit code 2', async (content, code) => {
    await using world = await startWorld()
    const schema = join(await world.folder(), 'schema.json')
    await writeFile(schema, content)
    const result = await runCli(
      ['run', 'x', '--machine', world.machine.name, '--schema', schema, '--json'],
      envOf(world),
    )
    expect(result.code).toBe(2)
    expect(JSON.parse(result.stdout)).toMatchObject({ error: { code } })
  })
})

describe('cmdop machines and machine', () => {
  test('lists machines, as a table and as JSON', async () => {
    await using world = await startWorld({ machines: 2 })
    const table = await runCli(['machines'], envOf(world))
    expect(table.stdout.split('\n').map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
      ['NAME', 'PRESENCE'],
      ['machine-0', 'online'],
      ['machine-1', 'online'],
      [''],
    ])
    const json = await runCli(['machines', '--json'], envOf(world))
    expect(JSON.parse(json.stdout)).toMatchObject({ items: [{ name: 'machine-0' }, { name: 'machine-1' }] })
  })

  test('enrols over plain http with another host only when told so', async () => {
    await using world = await startWorld({ machines: 0 })
    const data = join(await world.folder(), 'machine')
    const argv = ['machine', 'enroll', '--relay', 'http://relay.example', '--data', data]
    const result = await runCli(argv, { CMDOP_ENROLL_TOKEN: 'cmdop_enroll_x' })
    expect(result.code).toBe(2)
    expect(result.stderr).toContain('--insecure')
  })

  test('issues a token, enrols with it and runs the daemon until SIGTERM', async () => {
    await using world = await startWorld({ machines: 0 })
    const data = join(await world.folder(), 'machine')
    const token = await runCli(['machine', 'token'], envOf(world))
    const argv = token.stdout.trim().split(' ').slice(1)
    const enrolled = await runCli([...argv, '--data', data, '--name', 'by-hand', '--json'])
    expect(JSON.parse(enrolled.stdout)).toMatchObject({ name: 'by-hand' })
    expect((await stat(join(data, 'machine.json'))).mode & 0o777).toBe(0o600)
    const daemon = startCli(['machine', 'run', '--data', data])
    await waitFor(
      'the machine is online',
      async () => (await world.client.machines.list()).items[0]?.presence === 'online',
    )
    daemon.child.kill('SIGTERM')
    expect((await daemon.done).code).toBe(0)
    const again = await runCli([...argv, '--data', join(await world.folder(), 'other')])
    expect(again).toMatchObject({ code: 3, stdout: '' })
  })
})

describe('cmdop up', () => {
  test('prints address and key once, keeps them for later commands, and works again after a restart', async () => {
    await using world = await startWorld({ machines: 0 })
    const home = await world.folder()
    const env = { XDG_CONFIG_HOME: join(home, 'config'), XDG_STATE_HOME: join(home, 'state') }
    const first = startCli(['up', '--port', '0', '--json'], env)
    await waitFor('the relay is up', () => first.stdout().endsWith('}\n'))
    const document = JSON.parse(first.stdout()) as Record<string, string>
    const config = join(home, 'config', 'cmdop', 'config.json')
    expect(document['key']).toMatch(/^cmdop_human_/)
    expect((await stat(config)).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(config, 'utf8'))).toEqual({ base_url: document['url'], token: document['key'] })
    const listed = await runCli(['exec', document['machine'] ?? '', '--', 'echo', 'up'], env)
    expect(listed).toMatchObject({ code: 0, stdout: 'up\n' })
    first.child.kill('SIGTERM')
    expect((await first.done).code).toBe(0)

    const port = new URL(document['url'] ?? '').port
    const second = startCli(['up', '--port', port, '--json'], env)
    await waitFor('the relay is up again', () => second.stdout().endsWith('}\n'))
    expect(JSON.parse(second.stdout())).not.toHaveProperty('key')
    second.child.kill('SIGINT')
    expect((await second.done).code).toBe(0)
  })

  test('leaves the key of another relay in the config file as it is', async () => {
    await using world = await startWorld({ machines: 0 })
    const home = await world.folder()
    const config = join(home, 'cmdop', 'config.json')
    const other = JSON.stringify({ base_url: 'https://relay.example', token: 'cmdop_human_other' })
    await mkdir(join(home, 'cmdop'))
    await writeFile(config, other, { mode: 0o600 })
    const up = startCli(['up', '--port', '0'], { XDG_CONFIG_HOME: home, XDG_STATE_HOME: join(home, 'state') })
    await waitFor('it is up', () => up.stderr().includes('CMDOP_TOKEN'))
    up.child.kill('SIGTERM')
    const { code, stderr } = await up.done
    expect([code, await readFile(config, 'utf8')]).toEqual([0, other])
    expect(stderr).toContain('stays as it is')
  })

  test('refuses another address than loopback without TLS, with exit code 2', async () => {
    await using world = await startWorld({ machines: 0 })
    const result = await runCli(['relay', '--host', '0.0.0.0', '--port', '0', '--data', await world.folder()])
    expect(result.code).toBe(2)
    expect(result.stderr).toContain('--insecure-public')
  })
})

describe('the command line', () => {
  test('exits with 2 for what it does not know, and 0 for help', async () => {
    expect((await runCli(['nonsense'])).code).toBe(2)
    expect((await runCli(['exec', '--nonsense'])).code).toBe(2)
    const usage = await runCli(['exec', 'local', '--json'])
    expect([usage.code, JSON.parse(usage.stdout)]).toMatchObject([2, { error: { code: 'config' } }])
    const help = await runCli(['--help'])
    expect(help.code).toBe(0)
    expect(help.stdout).toContain('cmdop')
  })

  test.each([
    ['fleets', /^Usage: cmdop fleets \[options\] \[command\]\n/],
    ['machines nonsense', /^cmdop: config: unknown command 'nonsense'\. See: cmdop machines --help\.\n$/],
    ['skills lst', /^cmdop: config: unknown command 'lst' \(Did you mean list\?\)\. See: cmdop skills --help\.\n$/],
    ['machines update web-1', /'--name <name>' not specified\. See: cmdop machines update --help\.\n$/],
  ])('cmdop %s says how that command is used', async (words, said) => {
    expect(await runCli(words.split(' '))).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(said) as string,
    })
  })

  test('tells a wrong key, a missing relay and an unknown machine apart by exit code', async () => {
    await using world = await startWorld()
    const wrong = await runCli(['machines'], {
      ...envOf(world),
      CMDOP_TOKEN: `${world.relay.firstKey.slice(0, -4)}AAAA`,
    })
    expect(wrong).toMatchObject({ code: 3, stdout: '' })
    expect((await runCli(['run', 'x', '--machine', 'nobody'], envOf(world))).code).toBe(4)
    expect((await runCli(['machines'], { ...envOf(world), CMDOP_BASE_URL: 'http://127.0.0.1:1' })).code).toBe(5)
  })
})
