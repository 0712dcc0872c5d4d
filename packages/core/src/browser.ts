import { BaseClient } from './base-client.ts'
import { browserPlatform } from './platform-browser.ts'
import type { ClientOptions } from './settings.ts'

/** A client of a relay, in a browser: the same as in Node, on the page's fetch and WebSocket. */
export class Client extends BaseClient {
  constructor(options: ClientOptions) {
    super(options, browserPlatform)
  }
}

export { ExecError } from './exec-error.ts'
export { RemoteMachine } from './remote-machine.ts'
export type { ClientOptions } from './settings.ts'
export type * from './machine.ts'
