import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { Client } from '@cmdop/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addSilentMachine } from './fleets.ts'
import { unresolvedMachine } from './unresolved.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

describe('`timeoutMs`', () => {
  test('bounds a call to a server that takes it and never answers, over HTTP and over WebSocket', async () => {
    await using silent = await startSilentServer()
    const options = { baseUrl: silent.url, token: 'x', timeoutMs: 300 }
    const handle = unresolvedMachine(world, options)
    const startedAt = performance.now()
    const errors = await Promise.all([
      new Client(options).me().then(undefined, (error) => error),
      handle.exec('true').then(undefined, (error) => error),
      handle.facts().then(undefined, (error) => error),
    ])
    for (const error of errors) expect(error).toMatchObject({ code: 'timeout', retryable: true })
    expect(performance.now() - startedAt).toBeLessThan(1500)
  })

  test('bounds a server that opens the WebSocket and then says nothing', async () => {
    await using silent = await startSilentServer(true)
    const handle = unresolvedMachine(world, { baseUrl: silent.url, token: 'x', timeoutMs: 300 })
    await expect(handle.exec('true')).rejects.toMatchObject({ code: 'timeout' })
  })

  test('does not bound a command, nor the connection it runs on', async () => {
    const machine = await world.connect({ timeoutMs: 1500 }).machine(world.machine.id)
    const long = machine.exec('sleep 2; echo still here')
    await machine.exec('true')
    expect(await long).toMatchObject({ stdout: 'still here\n', exitCode: 0 })
  })
})

describe('a call', () => {
  test('that is cancelled is `cancelled`', async () => {
    await using silent = await startSilentServer()
    const client = new Client({ baseUrl: silent.url, token: 'x' })
    const stop = new AbortController()
    const calls = [client.machines.list({ signal: stop.signal }), client.me({ signal: stop.signal })]
    const errors = Promise.all(calls.map((call) => call.then(undefined, (error) => error)))
    await silent.connected
    stop.abort()
    for (const error of await errors) expect(error).toMatchObject({ code: 'cancelled', retryable: false })
  })

  test('of facts or files that was cancelled is `cancelled`', async () => {
    const signal = AbortSignal.abort()
    await expect(world.handle.facts({ signal })).rejects.toMatchObject({ code: 'cancelled' })
    await expect(world.handle.files.read('/etc/hostname', { signal })).rejects.toMatchObject({ code: 'cancelled' })
  })

  test('to a server that is no relay says so', async () => {
    await using page = await startSilentServer(false, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi')
    const client = new Client({ baseUrl: page.url, token: 'x', timeoutMs: 1000 })
    await expect(client.me()).rejects.toMatchObject({ code: 'server' })
    await using broken = await startSilentServer(false, 'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno')
    const other = new Client({ baseUrl: broken.url, token: 'x', timeoutMs: 1000 })
    await expect(other.me()).rejects.toMatchObject({
      code: 'server',
      message: expect.stringContaining('CMDOP_BASE_URL'),
    })
    await expect(unresolvedMachine(world, { baseUrl: broken.url }).exec('true')).rejects.toMatchObject({
      code: 'connection',
    })
  })

  test('of a closed client is refused on the channel', async () => {
    const client = world.connect()
    const machine = await client.machine(world.machine.id)
    await machine.exec('true')
    await client.close()
    await client.close()
    await expect(machine.exec('true')).rejects.toMatchObject({ code: 'cancelled' })
  })
})

describe('a list', () => {
  test('comes page by page and ends, each machine once and in order of name', async () => {
    const store = await world.openStore()
    const { fleetId } = await world.client.me()
    const names = Array.from({ length: 23 }, (_, index) => `page-${String(index).padStart(2, '0')}`)
    for (const name of names) await addSilentMachine(store, fleetId, { name })
    for (const limit of [1, 5, 23, 24, 500]) {
      const found: string[] = []
      for await (const { name } of world.client.machines.iter({ q: 'PAGE-', limit })) found.push(name)
      expect(found).toEqual(names)
    }
    const pages: number[] = []
    for await (const { items } of world.client.machines.pages({ q: 'page-', limit: 10 })) pages.push(items.length)
    expect(pages).toEqual([10, 10, 3])
  })

  test('with a filter that leaves gaps is still complete', async () => {
    const online: string[] = []
    for await (const { name } of world.client.machines.iter({ presence: 'online', limit: 1 })) online.push(name)
    expect(online).toEqual(['machine-0'])
    const never: string[] = []
    for await (const { name } of world.client.machines.iter({ presence: 'suspect', limit: 2 })) never.push(name)
    expect(never).toEqual([])
  })

  test('of keys comes whole, newest first', async () => {
    for (let count = 0; count < 5; count += 1) await world.client.keys.issue({ name: `key-${count}` })
    const found: string[] = []
    for await (const { name } of world.client.keys.iter()) found.push(name)
    expect(found.filter((name) => name.startsWith('key-'))).toEqual(['key-4', 'key-3', 'key-2', 'key-1', 'key-0'])
    expect(await world.client.keys.list({ offset: 1, perPage: 2 })).toMatchObject({ offset: 1, perPage: 2, total: 6 })
  })

  test('from a server whose pages do not lead on ends too', async () => {
    const page = JSON.stringify({ items: [], next_cursor: 'again', has_more: true })
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${page.length}\r\nConnection: close\r\n\r\n${page}`
    await using server = await startSilentServer(false, answer)
    const client = new Client({ baseUrl: server.url, token: 'x', timeoutMs: 2000 })
    let pages = 0
    for await (const _ of client.machines.pages()) pages += 1
    expect(pages).toBe(2)
  })
})

interface SilentServer extends AsyncDisposable {
  readonly url: string
  /** Resolves at the first connection. */
  readonly connected: Promise<unknown>
}

/** Takes connections and says nothing, or always the same; or opens a WebSocket and says nothing on it. */
async function startSilentServer(isWebSocket = false, answer = ''): Promise<SilentServer> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (data) => {
      const key = /sec-websocket-key: (\S+)/i.exec(data.toString())?.[1]
      if (isWebSocket && key !== undefined) void acceptSocket(socket, key)
      else if (answer !== '') socket.write(answer)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connected: once(server, 'connection'),
    [Symbol.asyncDispose]: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

async function acceptSocket(socket: Socket, key: string): Promise<void> {
  const { createHash } = await import('node:crypto')
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  const headers = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Protocol: cmdop.channel.v1']
  socket.write(['HTTP/1.1 101 Switching Protocols', ...headers, `Sec-WebSocket-Accept: ${accept}`, '', ''].join('\r\n'))
}
