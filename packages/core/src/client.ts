import { BaseClient } from './base-client.ts'
import { NodeMachine } from './files/node/node-machine.ts'
import { nodePlatform } from './platform-node.ts'
import type { ClientOptions } from './settings.ts'

/** A client of a relay, in Node. */
export class Client extends BaseClient<NodeMachine> {
  /** A client with these settings, or with a key for the relay alone. Throws `config` when there is no address of a relay, or a setting is wrong. */
  constructor(given: ClientOptions | string = {}) {
    super(
      typeof given === 'string' ? { token: given } : given,
      nodePlatform,
      (channels, summary) => new NodeMachine(channels, summary),
    )
  }

  /** A client with the settings of the environment. Throws `config`, naming what is missing. */
  static fromEnv(): Client {
    return new Client()
  }

  /** A client for a key of the relay: `Client.remote({ apiKey })`. The address comes from `baseUrl` or `CMDOP_BASE_URL`. */
  static remote({
    apiKey,
    ...options
  }: Omit<ClientOptions, 'token' | 'apiKey' | 'apiBaseUrl'> & { apiKey: string }): Client {
    return new Client({ ...options, token: apiKey })
  }
}
