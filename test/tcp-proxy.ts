import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A way to the relay that a test can cut. */
export interface TcpProxy extends AsyncDisposable {
  readonly url: string
  /** Cuts every connection; new ones are taken. */
  cut(): void
  /** Cuts every connection and takes none until {@link TcpProxy.mend}. */
  break(): void
  mend(): void
}

/** Forwards TCP connections to the relay at this address. */
export async function startTcpProxy(relayUrl: string): Promise<TcpProxy> {
  const { port, hostname } = new URL(relayUrl)
  const sockets = new Set<Socket>()
  let isBroken = false
  const server = createServer((near) => {
    if (isBroken) return near.destroy()
    const far = connect(Number(port), hostname)
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
    return undefined
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    break: () => {
      isBroken = true
      cut()
    },
    mend: () => {
      isBroken = false
    },
    [Symbol.asyncDispose]: async () => {
      server.close()
      cut()
      await once(server, 'close')
    },
  }
}
