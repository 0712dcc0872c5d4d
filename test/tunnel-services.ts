import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Readable, Writable, type WritableOptions } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A service on a port of loopback. */
export interface Service extends AsyncDisposable {
  readonly port: number
  /** Connections that are open now. */
  readonly open: ReadonlySet<Socket>
}

/** Serves each connection like this. */
export async function startService(serve: (socket: Socket) => void): Promise<Service> {
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    open.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => open.delete(socket))
    serve(socket)
  })
  return listening(server, open)
}

/** Sends back what it gets, and ends when the other side has. */
export const startEcho = () => startService((socket) => void socket.pipe(socket))

/** For each connection answers the SHA-256 of what it got, in hex, once the other side has ended. */
export const startHasher = () =>
  startService((socket) => {
    const hash = createHash('sha256')
    socket.on('data', (data) => hash.update(data))
    socket.on('end', () => socket.end(hash.digest('hex')))
  })

/** Sends so many bytes to each connection, as {@link blocksOf} has them, and ends. */
export const startSource = (bytes: number) =>
  startService((socket) => {
    socket.resume()
    void sendBlocks(socket, bytes)
  })

async function listening(server: Server, open: Set<Socket>): Promise<Service> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    open,
    [Symbol.asyncDispose]: async () => {
      server.close()
      for (const socket of open) socket.destroy()
      await once(server, 'close')
    },
  }
}

const BLOCK = randomBytes(64 * 1024)

/** Content of so many bytes that is nowhere like itself: each block begins with its number. */
export function* blocksOf(bytes: number): Generator<Buffer> {
  for (let sent = 0; sent < bytes; sent += BLOCK.length) {
    const block = Buffer.from(BLOCK.subarray(0, Math.min(BLOCK.length, bytes - sent)))
    if (block.length >= 8) block.writeDoubleBE(sent, 0)
    yield block
  }
}

/** SHA-256 of {@link blocksOf}, hex. */
export function hashOfBlocks(bytes: number): string {
  const hash = createHash('sha256')
  for (const block of blocksOf(bytes)) hash.update(block)
  return hash.digest('hex')
}

/** Writes the blocks and ends; waits where the other side does. `sent` is told how much is written. */
export async function sendBlocks(
  socket: Socket,
  bytes: number,
  sent: (total: number) => void = () => {},
): Promise<void> {
  let total = 0
  const blocks = function* () {
    for (const block of blocksOf(bytes)) {
      yield block
      total += block.length
      sent(total)
    }
  }
  // The other direction goes on: whoever reads it tells what goes wrong.
  await pipeline(Readable.from(blocks()), new Writable(writerOf(socket))).catch(() => {})
}

/** Writes to a socket and ends it, and leaves what it sends to others. */
function writerOf(socket: Socket): WritableOptions {
  const gone = () => new Error('The connection was broken off.')
  return {
    write: (block, _, done) => void (socket.destroyed ? done(gone()) : socket.write(block, done)),
    final: (done) => void socket.end(done),
  }
}

/** A connection to this port of loopback, open. */
export async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  await once(socket, 'connect')
  socket.on('error', () => {})
  return socket
}

/** Everything that the other side sends until it ends. Throws when the connection is broken off. */
export async function readAll(socket: Socket, got: (total: number) => void = () => {}): Promise<Buffer> {
  const parts: Buffer[] = []
  let total = 0
  for await (const part of socket) {
    parts.push(part as Buffer)
    total += (part as Buffer).length
    got(total)
  }
  return Buffer.concat(parts)
}

/** SHA-256 of what the other side sends until it ends, hex. */
export async function hashAll(
  socket: AsyncIterable<unknown>,
  got: (total: number) => void = () => {},
): Promise<string> {
  const hash = createHash('sha256')
  let total = 0
  for await (const part of socket) {
    hash.update(part as Buffer)
    total += (part as Buffer).length
    got(total)
  }
  return hash.digest('hex')
}
