import { CHANNEL_SUBPROTOCOL } from '@cmdop/protocol'
import { whenOpen } from './open-web-socket.ts'
import type { Platform } from './platform.ts'

/** A browser: its own fetch and WebSocket, no environment. */
export const browserPlatform: Platform = {
  settings: { environment: {}, configFile: () => ({}) },
  fetch: (url, init) => globalThis.fetch(url, init),
  openChannel: async ({ url, ticket }, signal) => {
    const address = `${url}?ticket=${encodeURIComponent(await ticket())}`
    return whenOpen(new WebSocket(address, [CHANNEL_SUBPROTOCOL]), signal)
  },
}
