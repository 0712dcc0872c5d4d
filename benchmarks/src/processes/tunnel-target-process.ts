/**
 * What tunnels of a figure lead to: the first byte of a connection says what it is for. `e`: every byte comes back. `d`: it gets the bytes of
 * the first argument. `u`: what it sends is counted, and the count is the answer.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { serve } from './serve.ts'

const bytes = Number(process.argv[2])
const block = Buffer.alloc(256 * 1024)
const options = { allowHalfOpen: true, noDelay: true, highWaterMark: 1024 * 1024 }

const server = createServer(options, (socket) => {
  socket.on('error', () => {})
  socket.once('data', (first: Buffer) => {
    const kind = String.fromCharCode(first[0] ?? 0)
    if (kind === 'd') void send(socket)
    else if (kind === 'u') count(socket, first.length - 1)
    else void socket.write(first)
    if (kind === 'e') socket.pipe(socket)
  })
})

async function send(socket: Socket): Promise<void> {
  for (let left = bytes; left > 0 && !socket.destroyed; left -= block.length)
    if (!socket.write(left < block.length ? block.subarray(0, left) : block)) await once(socket, 'drain')
  socket.end()
}

function count(socket: Socket, first: number): void {
  let total = first
  socket.on('data', (data) => (total += data.length))
  socket.on('end', () => socket.end(String(total)))
}

server.listen(0, '127.0.0.1')
await once(server, 'listening')
serve({
  ready: { port: (server.address() as AddressInfo).port },
  close: async () => void server.close(),
})
