import { BaseClient } from './base-client.ts'
import { browserPlatform } from './platform-browser.ts'
import { RemoteMachine } from './remote-machine.ts'
import type { ClientOptions } from './settings.ts'

/** A client of a relay, in a browser: the same as in Node, on the page's fetch and WebSocket. */
export class Client extends BaseClient {
  constructor(options: ClientOptions) {
    super(options, browserPlatform, (channels, summary) => new RemoteMachine(channels, summary))
  }
}

export { ExecError } from './exec-error.ts'
export { RemoteMachine }
export type { ClientOptions } from './settings.ts'
export type * from './machine.ts'
export { ExecuteError, ExecuteResult } from './sessions/execute.ts'
export type * from './sessions/execute.ts'
export type * from './sessions/session.ts'
export type * from './sessions/session-events.ts'
