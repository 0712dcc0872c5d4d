import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { collected, httpClient } from './mcp-clients.ts'
import { type RunningCli, startCli } from './processes/cli.ts'
import { startTcpProxy } from './tcp-proxy.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
let server: RunningCli
let url = ''
let token = ''
beforeAll(async () => {
  world = await startWorld()
  server = serve('--machine', 'machine-0')
  url = await shown(server, /at (http:\S+)/)
  token = await shown(server, /shown only now: (\S+)/)
}, 60_000)
afterAll(async () => {
  server.child.kill('SIGKILL')
  await server.done
  await world[Symbol.asyncDispose]()
})

function serve(...flags: string[]): RunningCli {
  const env = { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey }
  return startCli(['mcp', '--http', '--port', '0', ...flags], env)
}

function shown(running: RunningCli, pattern: RegExp): Promise<string> {
  return waitFor(`it says ${pattern}`, () => pattern.exec(running.stderr())?.[1], 30_000)
}

const clientInfo = { name: 'raw', version: '1' }
const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo },
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A request as it is, also with a Host that fetch would not send. */
async function post(headers: Record<string, string>, body: string = JSON.stringify(initialize)): Promise<Answer> {
  const accept = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' }
  const sent = request(url, { method: 'POST', agent: false, headers: { ...accept, ...headers } })
  sent.on('error', () => {})
  if (headers['content-length'] === undefined) sent.end(body)
  else sent.write(body)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  return { status: response.statusCode ?? 0, headers: response.headers, body: await textOf(response) }
}

const withToken = () => ({ authorization: `Bearer ${token}` })

test('a client works on the machine, sees output as it comes, and can cancel', async () => {
  await using mcp = await httpClient(url, token)
  const { tools } = await mcp.client.listTools()
  expect(tools.map((tool) => tool.name)).toContain('run_command')
  const { text, onprogress } = collected()
  const answer = await mcp.call('run_command', { command: 'echo live; exit 4' }, { onprogress })
  expect(answer).toMatchObject({ isError: false, text: expect.stringMatching(/^exit code 4.*\nlive\n/s) as string })
  expect(text()).toContain('live')
  expect((await mcp.call('run_command', { command: ['no-such-program'] })).error?.code).toBe('command_not_found')
  const mark = newMark()
  const stop = new AbortController()
  const call = mcp.call('run_command', { command: `sleep 300 # ${mark}` }, { signal: stop.signal })
  await whenRunning(mark)
  stop.abort()
  await expect(call).rejects.toThrow()
  await whenGone(mark)
})

test('a client whose connection is lost comes back for its answer, and for what was shown meanwhile', async () => {
  await using proxy = await startTcpProxy(url)
  await using mcp = await httpClient(`${proxy.url}/mcp`, token)
  const folder = await world.folder()
  const mark = newMark()
  const begun = Promise.withResolvers<void>()
  const { text, onprogress } = collected(() => begun.resolve())
  const wait = `while [ ! -e '${folder}/go' ]; do sleep 0.05; done # ${mark}`
  const call = mcp.call('run_command', { command: `echo begun; ${wait}\necho ended; exit 5` }, { onprogress })
  await begun.promise
  proxy.break()
  await writeFile(join(folder, 'go'), '')
  await whenGone(mark)
  proxy.mend()
  expect((await call).text).toMatch(/^exit code 5.*begun\nended\n/s)
  expect(text()).toContain('begun')
})

describe('a request is refused', () => {
  test('without the token, and with another one', async () => {
    for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: `Basic ${token}` }]) {
      const refused = await post(headers)
      expect(refused).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } })
      expect(JSON.parse(refused.body)).toMatchObject({ jsonrpc: '2.0', id: null })
    }
    await expect(httpClient(url, 'wrong')).rejects.toThrow(/401|Send the token/)
  })

  test('from a web page of another origin, and under a name that was made to point here', async () => {
    const { port } = new URL(url)
    const cases: [Record<string, string>, number][] = [
      [{ origin: 'https://attacker.example' }, 403],
      [{ origin: 'http://127.0.0.1:1' }, 403],
      [{ origin: 'null' }, 403],
      [{ host: `attacker.example:${port}` }, 403],
      [{ host: `attacker.example:${port}`, origin: `http://attacker.example:${port}` }, 403],
      [{ origin: new URL(url).origin }, 200],
      [{ host: `localhost:${port}` }, 200],
    ]
    for (const [headers, status] of cases) {
      expect((await post({ ...withToken(), ...headers })).status, JSON.stringify(headers)).toBe(status)
    }
  })

  test('when its body is too large, of no session, or no message', async () => {
    // By its length alone: a server that refuses does not read on, and what is still sent then meets a closed connection.
    expect((await post({ ...withToken(), 'content-length': '8388609' }, '{')).status).toBe(413)
    expect((await post({ ...withToken(), 'mcp-session-id': 'none' })).status).toBe(404)
    const list = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
    expect((await post(withToken(), list)).status).toBe(400)
    expect((await post(withToken(), '{')).status).toBe(400)
  })
})

test('the client that was silent longest makes room for one over the limit', async () => {
  const begin = async () => (await post(withToken())).headers['mcp-session-id'] as string
  const list = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
  const ask = async (id: string) => (await post({ ...withToken(), 'mcp-session-id': id }, list)).status
  const first = await begin()
  const second = await begin()
  expect(await ask(first)).toBe(200)
  for (let count = 0; count < 31; count += 1) await begin()
  expect(await ask(second)).toBe(404)
  expect(await ask(first)).toBe(200)
})

test('a session that is ended takes its command with it', async () => {
  await using mcp = await httpClient(url, token)
  const mark = newMark()
  const call = mcp.call('run_command', { command: `sleep 300 # ${mark}` })
  const ended = call.catch((error: unknown) => error)
  await whenRunning(mark)
  const { sessionId = '' } = mcp.client.transport ?? {}
  const headers = { ...withToken(), 'mcp-session-id': sessionId }
  expect((await fetch(url, { method: 'DELETE', headers })).status).toBe(200)
  await whenGone(mark)
  expect((await post(headers)).status).toBe(404)
  await mcp.client.close()
  expect(await ended).toBeInstanceOf(Error)
})

test("SIGTERM ends sessions, commands and the process; a token of one's own is not shown", async () => {
  const file = join(await world.folder(), 'token')
  await writeFile(file, 'a-token-of-my-own-choice\n')
  const other = serve('--token-file', file)
  await using mcp = await httpClient(await shown(other, /at (http:\S+)/), 'a-token-of-my-own-choice')
  const mark = newMark()
  const call = mcp.call('run_command', { machine: 'machine-0', command: `sleep 300 # ${mark}` })
  const ended = call.catch((error: unknown) => error)
  await whenRunning(mark)
  other.child.kill('SIGTERM')
  const { code, stdout, stderr } = await other.done
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
  expect(stderr).not.toContain('my-own-choice')
  await whenGone(mark)
  await mcp.client.close()
  expect(await ended).toBeInstanceOf(Error)
})
