import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { CHANNEL_SUBPROTOCOL, CmdopError, createWebSocketTransport, DEAD_AFTER_MS, encodeJson, frameTypes, Link } from '@cmdop/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type WebSocket as ServerSocket, WebSocketServer } from 'ws'
import { connectPair, type MakePair } from '../packages/protocol/test/pairs.ts'
import { describeTransport } from '../packages/protocol/test/transport-suite.ts'

const server = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 1024 * 1024 })
const http = createServer()
let port = 0

beforeAll(async () => {
  http.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.setNoDelay(true)
    server.handleUpgrade(request, socket, head, (webSocket) => server.emit('connection', webSocket, request))
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  port = (http.address() as AddressInfo).port
})

afterAll(() => {
  for (const client of server.clients) client.terminate()
  http.close()
})

/** The platform's WebSocket dials, `ws` accepts. */
const makeWebSocketPair: MakePair = async (options) => {
  const accepted = nextSocket()
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, CHANNEL_SUBPROTOCOL)
  // Before it is open: a message that comes first must find the right type.
  socket.binaryType = 'arraybuffer'
  await once(socket, 'open')
  return connectPair(createWebSocketTransport(socket), await accepted, options)
}

describeTransport('WebSocket', makeWebSocketPair, 10)

describe('a raw peer on a WebSocket', () => {
  test('that sends half a frame and then nothing is closed as dead', async () => {
    const { link, closed, socket } = await dialRaw()
    const hello = encodeJson(frameTypes.hello, 0, { version: 1 })
    socket.write(maskedFrame(hello))
    await opened(link)
    socket.write(maskedFrame(new Uint8Array(1000)).subarray(0, 300))
    link.check(link.heardAt + DEAD_AFTER_MS - 1)
    expect(link.isClosed).toBe(false)
    link.check(link.heardAt + DEAD_AFTER_MS)
    expect(await closed).toMatchObject({ code: 'connection', retryable: true })
    await once(socket, 'close')
  })

  test('that cuts the line is a lost connection', async () => {
    const { closed, socket } = await dialRaw()
    socket.destroy()
    expect(await closed).toMatchObject({ code: 'connection', retryable: true })
  })

  test('that sends text is closed with `protocol`', async () => {
    const { closed, socket } = await dialRaw()
    socket.write(maskedFrame(new TextEncoder().encode('hello'), 0x81))
    expect(await closed).toMatchObject({ code: 'protocol' })
    socket.destroy()
  })

  test('that sends a message over the limit of a frame is closed', async () => {
    const { closed, socket } = await dialRaw()
    socket.on('error', () => {})
    socket.write(maskedFrame(new Uint8Array(1024 * 1024 + 1)))
    expect(await closed).toBeInstanceOf(CmdopError)
    socket.destroy()
  })
})

/** The transport of the next socket that the server takes; started at once, so no message is missed. */
async function nextSocket(): Promise<ReturnType<typeof createWebSocketTransport>> {
  const [socket] = (await once(server, 'connection')) as [ServerSocket]
  return createWebSocketTransport(socket)
}

interface RawConnection {
  readonly link: Link
  readonly closed: Promise<CmdopError>
  readonly socket: Socket
}

const hellos = new WeakMap<Link, Promise<void>>()

function opened(link: Link): Promise<void> | undefined {
  return hellos.get(link)
}

/** A TCP socket that has done the opening handshake, and the link at its other end. */
async function dialRaw(): Promise<RawConnection> {
  const transport = nextSocket()
  const socket = connect(port, '127.0.0.1')
  const key = createHash('sha1').update('a key').digest('base64').slice(0, 22)
  socket.write(
    `GET / HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}==\r\n\r\n`,
  )
  const closed = Promise.withResolvers<CmdopError>()
  const hello = Promise.withResolvers<void>()
  const link = new Link(await transport, { hello: () => hello.resolve(), frame: () => {}, closed: closed.resolve })
  hellos.set(link, hello.promise)
  return { link, closed: closed.promise, socket }
}

/** A message as a client puts it on the wire, masked with zeros. */
function maskedFrame(payload: Uint8Array, firstByte = 0x82): Buffer {
  const header = Buffer.alloc(14)
  header[0] = firstByte
  header[1] = 0x80 | 127
  header.writeBigUInt64BE(BigInt(payload.length), 2)
  return Buffer.concat([header, payload])
}
