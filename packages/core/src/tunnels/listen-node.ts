import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { CmdopError, errnoOf } from '@cmdop/protocol'
import type { Listen } from './tunnel-listener.ts'

/** Bytes that are read at once, and wait to be written. */
const SOCKET_BYTES = 256 * 1024

/** Listens on a TCP port. */
export const listenNode: Listen = async ({ host, port }, accept) => {
  const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true, highWaterMark: SOCKET_BYTES })
  server.on('connection', accept)
  server.listen({ host, port })
  try {
    await once(server, 'listening')
  } catch (cause) {
    const why = errnoOf(cause) ?? 'it is refused'
    throw new CmdopError('config', `Cannot listen on ${host}:${port} (${why}); choose another port, or 0 for any.`, {
      cause,
    })
  }
  const { address, port: bound } = server.address() as AddressInfo
  return {
    host: address,
    port: bound,
    close: async () => {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}
