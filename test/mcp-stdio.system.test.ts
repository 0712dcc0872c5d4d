import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createAgent, mcpServer } from '@cmdop/agent'
import { scriptedModel } from '@cmdop/agent/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { collected, type McpClient, mcpCommand, mcpEnv, stdioClient } from './mcp-clients.ts'
import { runCli } from './processes/cli.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

const working = ['run_command', 'write_file', 'edit_file', 'skill_run']
const reading = [
  'list_machines',
  'read_file',
  'list_files',
  'search_files',
  'read_logs',
  'facts',
  'more_output',
  'skill_list',
  'skill_read',
]

let world: World
let env: Record<string, string>
let mcp: McpClient
let folder = ''
beforeAll(async () => {
  world = await startWorld({ machines: 2 })
  env = { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey }
  folder = await world.folder()
  mcp = await stdioClient(env)
}, 60_000)
afterAll(async () => {
  await mcp[Symbol.asyncDispose]()
  await world[Symbol.asyncDispose]()
})

describe('the tools of a fleet', () => {
  test('are listed with their schemas and what they may change', async () => {
    const { tools } = await mcp.client.listTools()
    expect(tools.map((tool) => tool.name).toSorted()).toEqual([...working, ...reading].toSorted())
    for (const { name, annotations, inputSchema } of tools) {
      expect(annotations?.readOnlyHint, name).toBe(reading.includes(name))
      expect(annotations?.destructiveHint, name).toBe(working.includes(name))
      expect(inputSchema.required?.includes('machine') ?? false, name).toBe(name !== 'list_machines')
    }
    expect(tools.find(({ name }) => name === 'run_command')?.inputSchema).toMatchObject({
      type: 'object',
      required: ['machine', 'command'],
      properties: { timeoutSeconds: { type: 'number' } },
    })
    expect(mcp.client.getInstructions()).toContain('list_machines')
  })

  test('work on the machine that the call names', async () => {
    const listed = await mcp.call('list_machines', { presence: 'online' })
    expect(listed.text).toMatch(/<data-\w+ source="machines, 2 entries">\n{"name":"machine-0","presence":"online"/)
    const found = await mcp.call('list_machines', { q: 'machine-1' })
    expect(found.text).toContain(world.machines[1]?.id)
    expect(found.text).not.toContain('machine-0')
    const facts = await mcp.call('facts', { machine: 'machine-1', parts: ['os'] })
    expect(JSON.parse(/{.*}/.exec(facts.text)?.[0] ?? '')).toMatchObject({ os: { platform: process.platform } })
    const printed = await mcp.call('run_command', { machine: 'machine-1', command: 'echo out; exit 3' })
    expect(printed.text).toMatch(/^exit code 3, \d+ ms\n<data-(\w+) source="stdout, 4 bytes">\nout\n\n<\/data-\1>$/)
    expect(printed.isError).toBe(false)
    const store = await world.openStore()
    const { fleetId } = await world.client.me()
    const ran = async (machineId = '') => {
      const rows = await store.audit.list(fleetId, { limit: 100, machineId })
      return rows.filter(({ row }) => row.action === 'exec' && row.kind === 'intent').length
    }
    expect([await ran(world.machines[0]?.id), await ran(world.machines[1]?.id)]).toEqual([0, 1])
  })

  test('write, edit, read, list and search files', async () => {
    const machine = world.machine.id
    const path = join(folder, 'app.conf')
    const written = await mcp.call('write_file', { machine, path, content: 'level=1\nname=web\n' })
    expect(written.text).toContain('created, 17 bytes')
    const edited = await mcp.call('edit_file', { machine, path, edits: [{ find: 'level=1', replace: 'level=2' }] })
    expect(edited.text).toContain('+level=2')
    expect(await readFile(path, 'utf8')).toBe('level=2\nname=web\n')
    expect((await mcp.call('read_file', { machine, path, offset: 8 })).text).toContain('name=web')
    expect((await mcp.call('list_files', { machine, path: folder })).text).toContain('"app.conf"')
    expect((await mcp.call('search_files', { machine, path: folder, content: 'web' })).text).toContain(':2: name=web')
    expect((await mcp.call('read_logs', { machine, path, pattern: 'level' })).text).toContain('level=2')
  })
})

describe('what fails', () => {
  test('says its code and what to do, in words and as data', async () => {
    const { machine } = world
    const cases: [string, object, string, RegExp][] = [
      ['run_command', { machine: 'no-such', command: 'true' }, 'not_found', /no-such/],
      ['run_command', { machine: 'machine', command: 'true' }, 'ambiguous', /machine/],
      ['run_command', { machine: machine.id, command: ['no-such-program'] }, 'command_not_found', /no-such-program/],
      ['run_command', { machine: machine.id }, 'validation', /command/],
      ['run_command', { command: 'true' }, 'validation', /machine/],
      ['run_command', { machine: machine.id, command: 'sleep 60', timeoutSeconds: 0.2 }, 'deadline', /0\.2 s/],
      ['read_file', { machine: machine.id, path: join(folder, 'none') }, 'not_found', /none/],
      ['list_machines', { limit: 0 }, 'validation', /limit/],
      ['reboot', {}, 'not_found', /Use one of: list_machines, run_command/],
    ]
    for (const [tool, input, code, message] of cases) {
      const answer = await mcp.call(tool, input)
      expect(answer, tool).toMatchObject({
        isError: true,
        error: { code, message: expect.stringMatching(message) as string },
      })
      expect(answer.text.startsWith(`${code}: `), answer.text).toBe(true)
      expect(answer.error?.retryable).toBe(false)
    }
  })

  test('is refused by the gate of the relay, for the key of the configuration, and audited', async () => {
    const { rawToken: token } = await world.client.keys.issue({ name: 'watcher', kind: 'ai', role: 'viewer' })
    await using viewer = await stdioClient({ ...env, CMDOP_TOKEN: token })
    const machine = world.machine.id
    expect((await viewer.call('facts', { machine })).isError).toBe(false)
    const refused = await viewer.call('run_command', { machine, command: `touch ${join(folder, 'no')}` })
    expect(refused).toMatchObject({ isError: true, error: { code: 'permission', retryable: false } })
    const written = await viewer.call('write_file', { machine, path: join(folder, 'no'), content: 'x' })
    expect(written).toMatchObject({ isError: true, error: { code: 'permission' } })
    const store = await world.openStore()
    const { fleetId } = await world.client.me()
    const { principalId } = await world.connect({ token }).me()
    const rows = await waitFor('the refusals are written', async () => {
      const all = (await store.audit.list(fleetId, { limit: 100 })).map(({ row }) => row)
      const own = all.filter((row) => row.principalId === principalId && row.decision === 'deny')
      return own.length >= 2 && own
    })
    expect(rows.map((row) => row.action)).toContain('exec')
  })
})

test('a cancelled request ends its command on the machine, and the next call works', async () => {
  const mark = newMark()
  const stop = new AbortController()
  const call = mcp.call(
    'run_command',
    { machine: 'machine-0', command: `sleep 300 # ${mark}` },
    { signal: stop.signal },
  )
  await whenRunning(mark)
  stop.abort()
  await expect(call).rejects.toThrow()
  await whenGone(mark)
  expect((await mcp.call('run_command', { machine: 'machine-0', command: 'echo on' })).text).toContain('\non\n')
})

test('output is shown while the command runs, to a client that asks for progress', async () => {
  const flag = join(folder, 'seen')
  const { text, onprogress } = collected((shown) => {
    if (shown.includes('first')) void world.handle.files.write(flag, '')
  })
  const command = `echo first; until [ -e ${flag} ]; do sleep 0.02; done; echo last`
  const answer = await mcp.call('run_command', { machine: 'machine-0', command }, { onprogress })
  expect(text()).toContain('first')
  expect(answer.text).toMatch(/exit code 0.*first\nlast\n/s)
})

test('large output is shown by its head and tail, and more_output has more of it', async () => {
  const { text, onprogress } = collected()
  const command = `echo begin; head -c 5000000 /dev/zero | tr '\\0' x; echo; echo end`
  const answer = await mcp.call('run_command', { machine: 'machine-0', command }, { onprogress })
  expect(answer.text.length).toBeLessThan(20_000)
  expect(answer.text).toMatch(/stdout, 5000011 bytes.*begin\nx+.*bytes are left out here.*x+\nend\n/s)
  expect(text().length).toBeLessThan(1_200_000)
  const more = JSON.parse(/more_output with (\{.*?\})/.exec(answer.text)?.[1] ?? '') as object
  const rest = await mcp.call('more_output', { machine: 'machine-0', ...more })
  expect(rest).toMatchObject({ isError: false, text: expect.stringMatching(/bytes \d+ to \d+ of 5000011/) as string })
})

test('the key of the relay is in no answer and in no progress', async () => {
  const { text, onprogress } = collected()
  const key = world.relay.firstKey
  const file = join(folder, 'key')
  await world.handle.files.write(file, `key ${key}\n`)
  const printed = await mcp.call('run_command', { machine: 'machine-0', command: ['cat', file] }, { onprogress })
  const failed = await mcp.call('read_file', { machine: 'machine-0', path: `/none/${key}` })
  expect(printed.text).toContain('key [redacted]')
  expect(JSON.stringify([printed, failed, text()])).not.toContain(key)
})

test('one machine is offered alone, and read-only means no tool that changes anything', async () => {
  await using one = await stdioClient(env, '--machine', 'machine-1', '--read-only-tools')
  const { tools } = await one.client.listTools()
  expect(tools.map((tool) => tool.name).toSorted()).toEqual(reading.toSorted())
  expect(tools.some(({ inputSchema }) => Object.hasOwn(inputSchema.properties ?? {}, 'machine'))).toBe(false)
  expect(one.client.getInstructions()).toContain('"machine-1"')
  expect((await one.call('list_machines')).text).toContain('machines, 1 entries')
  expect((await one.call('list_files', { path: folder })).isError).toBe(false)
  const refused = await one.call('run_command', { command: 'true' })
  expect(refused.error).toMatchObject({
    code: 'not_found',
    message: expect.stringContaining('change nothing') as string,
  })
})

test('stdout carries nothing but the protocol, and the end of stdin ends the command and the process', async () => {
  const mark = newMark()
  const [program, ...args] = mcpCommand('--machine', 'machine-0')
  const child = spawn(program, args, { env: mcpEnv(env), stdio: 'pipe' })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  const closed = once(child, 'close')
  const send = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  const clientInfo = { name: 'raw', version: '1' }
  send({ id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo } })
  send({ method: 'notifications/initialized' })
  child.stdin.write('this is no message: secret-word\n')
  const running = { name: 'run_command', arguments: { command: `sleep 300 # ${mark}` } }
  send({ id: 2, method: 'tools/call', params: running })
  await whenRunning(mark)
  child.stdin.end()
  expect(await closed).toEqual([0, null])
  await whenGone(mark)
  const lines = stdout.trimEnd().split('\n')
  expect(lines.map((line) => (JSON.parse(line) as { jsonrpc: string; id: number }).id)).toEqual([1])
  expect(stderr).toContain('mcp: machine-0, on standard streams')
  expect(stderr).not.toContain('secret-word')
})

test('what is wrong with its options or its key is said on stderr with an exit code', async () => {
  const key = { ...env, CMDOP_TOKEN: `${world.relay.firstKey.slice(0, -4)}none` }
  const cases = [
    [['--port', '1'], env, 2, 'Expected --http'],
    [['--http', '--host', '0.0.0.0'], env, 2, '--insecure-public'],
    [['--machine', 'no-such'], env, 4, 'not_found'],
    [[], key, 3, 'auth'],
  ] as const
  const results = await Promise.all(cases.map(([flags, variables]) => runCli(['mcp', ...flags], variables)))
  for (const [index, [flags, , code, message]] of cases.entries()) {
    expect(results[index], flags.join(' ')).toMatchObject({ code, stdout: '' })
    expect(results[index]?.stderr).toContain(message)
  }
})

test('an operator of ours uses it as it uses any MCP server', async () => {
  using model = scriptedModel([
    { calls: [{ tool: 'fleet_run_command', input: { machine: 'machine-1', command: 'echo over there' } }] },
    { calls: [{ tool: 'fleet_run_command', input: { machine: 'no-such', command: 'true' } }] },
    { text: 'Done.' },
  ])
  const fleet = mcpServer({ command: mcpCommand(), env: mcpEnv(env) })
  const agent = createAgent({ machine: world.handle, model, env: {} })
  const { toolCalls } = await agent.run('Look over there', { tools: { fleet }, builtInTools: [] })
  expect(toolCalls).toMatchObject([{ isError: false }, { isError: true }])
  const results = model.seen.at(-1)?.toolResults.map(({ text }) => text) ?? []
  expect(results.join()).toContain('over there')
  expect(results.join()).toContain('not_found')
})

test('without a relay it works on this machine, when it is named', async () => {
  const state = await mkdtemp(join(tmpdir(), 'cmdop-mcp-'))
  await using local = await stdioClient({ XDG_STATE_HOME: state }, '--machine', 'local')
  expect((await local.call('run_command', { command: ['echo', 'here'] })).text).toContain('\nhere\n')
  await rm(state, { recursive: true })
})
