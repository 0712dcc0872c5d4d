import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CHANNEL_SUBPROTOCOL, decodeFrame, encodeFrame, frameTypes, Open } from '@cmdop/protocol'
import { WebSocket, WebSocketServer } from 'ws'

/** A way to the relay on which somebody sits who changes calls. */
export interface WireProxy extends AsyncDisposable {
  readonly url: string
  /** What becomes of each call that the relay sends to the machine. */
  change: (open: Open) => Open
}

/** Forwards what a machine and its relay say; calls as {@link WireProxy.change} has them. */
export async function startWireProxy(relayUrl: string): Promise<WireProxy> {
  const server = createServer((given, answer) => forward(relayUrl, given, answer))
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => CHANNEL_SUBPROTOCOL })
  const open = new Set<WebSocket>()
  server.on('upgrade', (given, socket, head) => {
    const far = new WebSocket(`${relayUrl.replace('http', 'ws')}${given.url ?? ''}`, [CHANNEL_SUBPROTOCOL])
    const early: Buffer[] = []
    const keep = (message: Buffer) => early.push(message)
    far.on('message', keep)
    far.on('error', () => socket.destroy())
    far.on('open', () =>
      sockets.handleUpgrade(given, socket, head, (near) => {
        for (const each of [near, far]) open.add(each.on('error', () => {}))
        const toMachine = (message: Buffer) => near.send(changed(message, (call) => proxy.change(call)))
        far.off('message', keep).on('message', toMachine)
        for (const message of early) toMachine(message)
        near.on('message', (message: Buffer) => far.send(message))
        near.on('close', () => far.terminate())
        far.on('close', () => near.terminate())
      }),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy: WireProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    change: (call) => call,
    [Symbol.asyncDispose]: async () => {
      server.close()
      server.closeAllConnections()
      for (const socket of open) socket.terminate()
      await once(server, 'close')
    },
  }
  return proxy
}

function changed(message: Buffer, change: WireProxy['change']): Uint8Array {
  const { type, channel, payload } = decodeFrame(message)
  if (type !== frameTypes.open) return message
  const call = Open.parse(JSON.parse(Buffer.from(payload).toString()))
  return encodeFrame(type, channel, Buffer.from(JSON.stringify(change(call))))
}

function forward(relayUrl: string, given: IncomingMessage, answer: ServerResponse): void {
  const { method, headers, url = '/' } = given
  const onward = request(new URL(url, relayUrl), { method, headers }, (come) => {
    answer.writeHead(come.statusCode ?? 502, come.headers)
    come.pipe(answer)
  })
  onward.on('error', () => answer.destroy())
  given.pipe(onward)
}
