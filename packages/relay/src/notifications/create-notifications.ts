import type { Logger } from 'pino'
import type { Bus } from '../bus/bus.ts'
import type { RelayConfig } from '../config.ts'
import type { Store } from '../store/store.ts'
import { Deliverer } from './deliverer.ts'
import { Poster } from './post.ts'

/** What sends the notifications of one relay. It sends once it is started. */
export interface Notifications extends AsyncDisposable {
  readonly deliverer: Deliverer
  readonly allowInsecure: boolean
}

/** Puts the notifications of one relay together. */
export function createNotifications(given: {
  store: Store
  bus: Bus
  log: Logger
  publicUrl: () => string
  settings: RelayConfig['webhooks']
}): Notifications {
  const { settings, ...parts } = given
  const { allowInsecure, timeoutMs, firstWaitMs } = settings
  const poster = new Poster({ allowInsecure, timeoutMs, now: Date.now })
  const deliverer = new Deliverer({ ...parts, poster, timeoutMs, firstWaitMs })
  return {
    deliverer,
    allowInsecure,
    [Symbol.asyncDispose]: async () => {
      await deliverer[Symbol.asyncDispose]()
      await poster[Symbol.asyncDispose]()
    },
  }
}
