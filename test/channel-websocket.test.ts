import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import {
  CHANNEL_SUBPROTOCOL,
  type CmdopError,
  createEmitterTransport,
  createWebSocketTransport,
  DEAD_AFTER_MS,
  encodeJson,
  frameTypes,
  Link,
  MAX_FRAME_BYTES,
  type Transport,
} from '@cmdop/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket as ClientSocket, WebSocketServer } from 'ws'
import { connectPair, type MakePair } from '../packages/protocol/src/channel/testing/pairs.ts'
import { describeTransport } from '../packages/protocol/src/channel/testing/transport-suite.ts'

/** A little more than a frame may have, so that the link sees, and answers, what is just over. */
const maxPayload = MAX_FRAME_BYTES + 1024

const server = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload })
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

/** The platform's WebSocket dials, as a browser does; `ws` accepts. */
const makePlatformPair: MakePair = async (options) => {
  const accepted = nextTransport()
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, CHANNEL_SUBPROTOCOL)
  await once(socket, 'open')
  return connectPair(createWebSocketTransport(socket), await accepted, options)
}

/** `ws` dials, as a machine does, and accepts. */
const makeEmitterPair: MakePair = async (options) => {
  const accepted = nextTransport()
  const socket = new ClientSocket(`ws://127.0.0.1:${port}/`, CHANNEL_SUBPROTOCOL, { perMessageDeflate: false })
  await once(socket, 'open')
  return connectPair(createEmitterTransport(socket), await accepted, options)
}

describeTransport('the WebSocket of the platform', makePlatformPair, 15)
describeTransport('the WebSocket of ws', makeEmitterPair, 15)

describe('a raw peer on a WebSocket', () => {
  test('that sends half a frame and then nothing is closed as dead', async () => {
    const { link, ready, closed, socket, isCut } = await dialRaw()
    socket.write(maskedFrame(encodeJson(frameTypes.hello, 0, { version: 1 })))
    await ready
    socket.write(maskedFrame(new Uint8Array(1000)).subarray(0, 300))
    link.check(link.heardAt + DEAD_AFTER_MS - 1)
    expect(link.isClosed).toBe(false)
    link.check(link.heardAt + DEAD_AFTER_MS)
    expect(await closed).toMatchObject({ code: 'connection', retryable: true })
    await isCut
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

  test('that sends a message over the limit of a frame is closed with `frame_too_large`', async () => {
    const { closed, socket } = await dialRaw()
    socket.write(maskedFrame(new Uint8Array(MAX_FRAME_BYTES + 1)))
    expect(await closed).toMatchObject({ code: 'frame_too_large' })
    socket.destroy()
  })

  test('that sends a message which the socket itself refuses is closed', async () => {
    const { closed, socket } = await dialRaw()
    socket.write(maskedFrame(new Uint8Array(2 * MAX_FRAME_BYTES)))
    expect(await closed).toMatchObject({ code: 'connection' })
    socket.destroy()
  })
})

async function nextTransport(): Promise<Transport> {
  const [socket] = (await once(server, 'connection')) as [ClientSocket]
  return createEmitterTransport(socket)
}

interface RawConnection {
  readonly link: Link
  readonly ready: Promise<void>
  readonly closed: Promise<CmdopError>
  readonly socket: Socket
  /** The TCP connection is gone, however. */
  readonly isCut: Promise<void>
}

/** A TCP socket that has done the opening handshake, and the link at its other end. */
async function dialRaw(): Promise<RawConnection> {
  const transport = nextTransport()
  const socket = connect(port, '127.0.0.1')
  const key = randomBytes(16).toString('base64')
  const upgrade = ['GET / HTTP/1.1', 'Host: relay', 'Connection: Upgrade', 'Upgrade: websocket']
  const webSocket = ['Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${key}`]
  socket.write([...upgrade, ...webSocket, '', ''].join('\r\n'))
  const [ready, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<CmdopError>()]
  const isCut = Promise.withResolvers<void>()
  socket.resume()
  socket.on('error', () => isCut.resolve())
  socket.on('close', () => isCut.resolve())
  const link = new Link(await transport, { hello: () => ready.resolve(), frame: () => {}, closed: closed.resolve })
  return {
    link,
    socket,
    ready: ready.promise,
    closed: closed.promise,
    isCut: isCut.promise,
  }
}

/** A message as a client puts it on the wire, masked with zeros. */
function maskedFrame(payload: Uint8Array, firstByte = 0x82): Buffer {
  const header = Buffer.alloc(14)
  header[0] = firstByte
  header[1] = 0x80 | 127
  header.writeBigUInt64BE(BigInt(payload.length), 2)
  return Buffer.concat([header, payload])
}
