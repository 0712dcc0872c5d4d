import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { hasChromium, openTab, startChromium } from './chromium.ts'
import { postgresPrograms, startPostgres } from './postgres.ts'
import { runCli, startCli } from './processes/cli.ts'
import { startTcpProxy } from './tcp-proxy.ts'
import { ask, startSite } from './tunnel-pages.ts'
import {
  blocksOf,
  dial,
  hashAll,
  hashOfBlocks,
  readAll,
  sendBlocks,
  startHasher,
  startSource,
} from './tunnel-services.ts'
import { waitFor } from './wait-for.ts'
import { startWorld } from './world.ts'

const MB = 1024 * 1024
const BYTES = 200 * MB

/** Cuts the way of a machine once, when so much has gone through. */
function cutter(cut: () => void, at: number) {
  let isCut = false
  return {
    at: (total: number): void => {
      if (isCut || total < at) return
      isCut = true
      cut()
    },
    get isCut() {
      return isCut
    },
  }
}

test.runIf(postgresPrograms !== undefined)(
  'psql reaches a PostgreSQL server through `cmdop tunnel`, also after the machine was away',
  async () => {
    await using world = await startWorld({ machines: 0 })
    await using proxy = await startTcpProxy(world.relay.url)
    const machine = await world.addMachine('db-1', proxy.url)
    await using postgres = await startPostgres()
    const env = { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey }
    const cli = startCli(['tunnel', `${machine.name}:${postgres.port}`, '--local', '0'], env)
    const [, port = ''] = await waitFor(
      'it listens',
      () => /^127\.0\.0\.1:(\d+) leads to/.exec(cli.stderr()) ?? undefined,
    )
    const through = (statement: string) => postgres.query(Number(port), statement)
    await through('create table visits as select n, md5(n::text) as mark from generate_series(1, 200000) n')
    expect(await through('select count(*), max(mark) from visits')).toBe(
      await postgres.query(postgres.port, 'select count(*), max(mark) from visits'),
    )
    const whole = 'select string_agg(mark, chr(10) order by n) from visits'
    expect(await through(whole)).toBe(await postgres.query(postgres.port, whole))
    proxy.cut()
    expect(await through('select 40 + 2')).toBe('42')
    cli.child.kill('SIGINT')
    expect((await cli.done).code).toBe(0)
  },
  60_000,
)

test('`cmdop tunnels` opens, lists, shows and closes tunnels, and prints what visitors show once', async () => {
  await using world = await startWorld({ relay: { tunnelDomain: 'tunnels.test' } })
  const env = { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey }
  const cmdop = (...argv: string[]) => runCli(['tunnels', ...argv], env)
  const target = `${world.machine.name}:8080`
  const opened = await cmdop('open', target, '--subdomain', 'shop', '--auth', 'basic', '--ttl', '1h', '--json')
  const tunnel = JSON.parse(opened.stdout) as Record<string, unknown>
  expect(tunnel).toMatchObject({ local_port: 8080, protocol: 'http', auth: 'basic', username: 'cmdop' })
  expect(tunnel['public_url']).toMatch(/^http:\/\/shop\.tunnels\.test:\d+$/)
  expect(tunnel['password']).toMatch(/^\S{24}$/)
  const id = String(tunnel['tunnel_id'])
  const { stdout: listed } = await cmdop('list')
  expect(listed).toMatch(new RegExp(`\n127\\.0\\.0\\.1:8080 +${world.machine.name} +http .* ${id}\n$`))
  const { stdout: shown } = await cmdop('get', id, '--json')
  expect(JSON.parse(shown)).toMatchObject({ tunnel_id: id, state: 'active' })
  expect(shown).not.toContain(String(tunnel['password']))
  expect((await cmdop('sessions')).stdout).toContain(world.machine.id)
  expect(await cmdop('close', id)).toMatchObject({ code: 0, stderr: `${id} is closed\n` })
  expect((await cmdop('close', id)).code).toBe(0)
  expect((await cmdop('get', id)).stdout).toContain('asked')
  const udp = await cmdop('open', target, '--protocol', 'udp')
  expect(udp.stderr).toBe('cmdop: unsupported: Tunnels carry no udp; open one of http, https or tcp.\n')
}, 60_000)

test('200 MB each way through a port of this computer, byte for byte, while the way of the machine is cut once', async () => {
  await using world = await startWorld({ machines: 0 })
  await using proxy = await startTcpProxy(world.relay.url)
  const machine = await world.addMachine('cut', proxy.url)
  await using hasher = await startHasher()
  await using source = await startSource(BYTES)
  for (const [service, run] of [
    [hasher, sendAndAsk],
    [source, receive],
  ] as const) {
    const { tunnelId } = await world.client.tunnels.open({
      machineId: machine.id,
      localPort: service.port,
      protocol: 'tcp',
    })
    await using listener = await world.client.tunnels.listen(tunnelId)
    const cut = cutter(() => proxy.cut(), BYTES / 2)
    expect(await run(listener.port, (total) => cut.at(total))).toBe(hashOfBlocks(BYTES))
    expect(cut.isCut).toBe(true)
    await world.whenOnline(machine)
  }
}, 180_000)

test('200 MB each way through the public address of a tunnel, byte for byte, while the way of the machine is cut once', async () => {
  await using world = await startWorld({ machines: 0, relay: { tunnelDomain: 'tunnels.test' } })
  await using proxy = await startTcpProxy(world.relay.url)
  const machine = await world.addMachine('cut', proxy.url)
  await using site = await startSite()
  const { publicUrl } = await world.client.tunnels.open({
    machineId: machine.id,
    localPort: site.port,
    options: { auth: 'none' },
  })
  const { host } = new URL(publicUrl ?? '')
  const down = cutter(() => proxy.cut(), BYTES / 2)
  const download = ask(world.relay.url, host, { path: `/bytes/${BYTES}` })
  download.end()
  const [answer] = (await once(download, 'response')) as [IncomingMessage]
  expect(await hashAll(answer, (total) => down.at(total))).toBe(hashOfBlocks(BYTES))
  expect(down.isCut).toBe(true)
  await world.whenOnline(machine)

  const up = cutter(() => proxy.cut(), BYTES / 2)
  const upload = ask(world.relay.url, host, { path: '/sha256', method: 'POST' })
  const answered = once(upload, 'response')
  const blocks = function* () {
    let total = 0
    for (const block of blocksOf(BYTES)) {
      yield block
      total += block.length
      up.at(total)
    }
  }
  await pipeline(Readable.from(blocks()), upload)
  const [hash] = (await answered) as [IncomingMessage]
  expect(await text(hash)).toBe(hashOfBlocks(BYTES))
  expect(up.isCut).toBe(true)
}, 180_000)

test.runIf(hasChromium)(
  'A browser sees a page of a machine, and speaks to it over a WebSocket',
  async () => {
    await using world = await startWorld({ relay: { tunnelDomain: 'tunnels.test' } })
    await using site = await startSite()
    const { publicUrl } = await world.client.tunnels.open({
      machineId: world.machine.id,
      localPort: site.port,
      options: { auth: 'none' },
    })
    const url = publicUrl ?? ''
    const browser = await startChromium('MAP *.tunnels.test 127.0.0.1, ')
    try {
      await using tab = await openTab(browser)
      await tab.page.goto(url)
      expect(await tab.page.textContent('h1')).toBe('It works')
      const said = await tab.page.evaluate(
        `new Promise((resolve, reject) => {
          const socket = new WebSocket(location.origin.replace('http', 'ws'))
          socket.onerror = () => reject(new Error('no socket'))
          socket.onopen = () => socket.send('hello')
          socket.onmessage = ({ data }) => resolve(data)
        })`,
      )
      expect(said).toBe('hello')
    } finally {
      await browser.close()
    }
  },
  60_000,
)

async function sendAndAsk(port: number, sent: (total: number) => void): Promise<string> {
  const socket = await dial(port)
  const [, answer] = await Promise.all([sendBlocks(socket, BYTES, sent), readAll(socket)])
  return answer.toString()
}

async function receive(port: number, got: (total: number) => void): Promise<string> {
  const socket = await dial(port)
  const hash = await hashAll(socket, got)
  socket.end()
  return hash
}
