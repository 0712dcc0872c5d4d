/**
 * One of the three processes that any tunnel by way of a relay has, as the least that Node can do: plain sockets, no frames, no WebSocket,
 * nobody asked. It carries one byte for each connection, one after the other. Arguments: `relay`; `machine`, port of the relay, port of the
 * target; or `listener`, port of the relay.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { serve } from './serve.ts'

const host = '127.0.0.1'
const [role, ...ports] = process.argv.slice(2)
const [relayPort = 0, targetPort = 0] = ports.map(Number)

if (role === 'relay') await serveWith(createRelay())
else if (role === 'listener') await serveWith(createListener(await connected(relayPort)))
else {
  dialForEach(await connected(relayPort))
  serve({ close: () => Promise.resolve() })
}

/** The first to connect is the machine, the second the listener. */
function createRelay(): Server {
  let machine: Socket | undefined
  return createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {})
    if (machine === undefined) machine = socket
    else socket.pipe(machine).pipe(socket)
  })
}

/** Each connection sends one byte, and gets the one that comes next. */
function createListener(relay: Socket): Server {
  let last: Socket | undefined
  relay.on('data', (data) => last?.write(data))
  return createServer({ noDelay: true }, (socket) => {
    last = socket
    socket.on('error', () => {})
    socket.on('data', (data) => relay.write(data))
  })
}

/** Each byte is a connection to the target. */
function dialForEach(relay: Socket): void {
  relay.on('data', (data) => {
    const target = connect({ host, port: targetPort, noDelay: true })
    target.on('error', () => {})
    target.on('data', (answer) => {
      relay.write(answer)
      target.destroy()
    })
    target.write(data)
  })
}

async function connected(port: number): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true })
  await once(socket, 'connect')
  return socket
}

async function serveWith(server: Server): Promise<void> {
  server.listen(0, host)
  await once(server, 'listening')
  serve({ ready: { port: (server.address() as AddressInfo).port }, close: async () => void server.close() })
}
