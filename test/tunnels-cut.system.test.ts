import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { postgresPrograms, startPostgres } from './postgres.ts'
import { startTcpProxy } from './tcp-proxy.ts'
import { ask, startSite } from './tunnel-pages.ts'
import { waitFor } from './wait-for.ts'
import { startWorld } from './world.ts'

/** A world with one machine, whose way to the relay can be taken away. */
async function startCutWorld() {
  await using opening = new AsyncDisposableStack()
  const world = opening.use(await startWorld({ machines: 0, relay: { tunnelDomain: 'tunnels.test' } }))
  const proxy = opening.use(await startTcpProxy(world.relay.url))
  const machine = await world.addMachine('cut', proxy.url)
  const opened = opening.move()
  return {
    world,
    machine,
    /** Cuts the way of the machine, does something once the relay knows that it is gone, and gives the way back. */
    whileAway: async (act: () => Promise<void> | void) => {
      proxy.break()
      await waitFor(
        'the relay knows that the machine is gone',
        async () => (await world.client.machines.get(machine.id)).presence !== 'online',
      )
      await act()
      proxy.mend()
    },
    /** The host of a tunnel that everybody may visit. */
    openToAll: async (localPort: number) => {
      const options = { auth: 'none' as const }
      const { publicUrl } = await world.client.tunnels.open({ machineId: machine.id, localPort, options })
      return new URL(publicUrl ?? '').host
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** Numbers from one to another, both included. */
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

test.runIf(postgresPrograms !== undefined)(
  'psql gets all rows of a query, byte for byte, when the way of the machine is cut while they come',
  async () => {
    await using cut = await startCutWorld()
    await using postgres = await startPostgres()
    const { tunnels } = cut.world.client
    const given = { machineId: cut.machine.id, localPort: postgres.port, protocol: 'tcp' }
    const { tunnelId } = await tunnels.open(given)
    await using listener = await tunnels.listen(tunnelId)
    // 64 MB: more than sockets and windows on the way hold.
    const rows = 'copy (select n, repeat(md5(n::text), 10) from generate_series(1, 200000) n) to stdout'
    const stillSending = `select count(*) from pg_stat_activity where state = 'active' and query = '${rows}'`
    let cutAt: number | undefined
    const hash = await postgres.hashOfCopy(listener.port, rows, async (bytes) => {
      if (cutAt !== undefined || bytes < 5_000_000) return
      cutAt = bytes
      await cut.whileAway(async () => expect(await postgres.query(postgres.port, stillSending)).toBe('1'))
    })
    expect(cutAt).toBeGreaterThan(0)
    expect(hash).toBe(await postgres.hashOfCopy(postgres.port, rows))
  },
  60_000,
)

test('Every message of a WebSocket through a tunnel arrives once and in order, when the way of the machine is cut between them', async () => {
  await using cut = await startCutWorld()
  await using site = await startSite()
  const host = await cut.openToAll(site.port)
  const socket = new WebSocket(cut.world.relay.url.replace('http', 'ws'), { headers: { host } })
  await once(socket, 'open')
  const came: number[] = []
  socket.on('message', (data: Buffer) => came.push(Number(data.toString())))
  const send = (from: number, to: number) => {
    for (const number of numbers(from, to)) socket.send(String(number))
  }
  // Some echoes are on the way, or are said while there is no way.
  send(1, 1000)
  await waitFor('some echoes have come', () => came.length >= 100)
  send(1001, 2000)
  await cut.whileAway(() => {
    send(2001, 2500)
    expect(came.length).toBeGreaterThanOrEqual(100)
    expect(came.length).toBeLessThanOrEqual(2000)
  })
  send(2501, 3000)
  await waitFor('the last echo has come', () => came.at(-1) === 3000, 20_000)
  expect(came).toEqual(numbers(1, 3000))
  socket.close()
  await once(socket, 'close')
}, 60_000)

test('No event of a stream through a tunnel is lost or comes twice, when the way of the machine is cut between them', async () => {
  await using cut = await startCutWorld()
  await using site = await startSite()
  const asked = ask(cut.world.relay.url, await cut.openToAll(site.port), { path: '/events' })
  asked.end()
  const [stream] = (await once(asked, 'response')) as [IncomingMessage]
  await waitFor('the stream is open', () => site.streams === 1)
  let came = ''
  stream.setEncoding('utf8').on('data', (text: string) => (came += text))
  const emit = (from: number, to: number) => {
    for (const number of numbers(from, to)) site.emit(String(number))
  }
  const events = (from: number, to: number) =>
    numbers(from, to)
      .map((number) => `data: ${number}\n\n`)
      .join('')
  emit(1, 100)
  await waitFor('some events have come', () => came === events(1, 100))
  await cut.whileAway(() => {
    emit(101, 200)
    expect(came).toBe(events(1, 100))
  })
  emit(201, 300)
  await waitFor('the last event has come', () => came.endsWith('data: 300\n\n'), 20_000)
  expect(came).toBe(events(1, 300))
  asked.destroy()
}, 60_000)
