import { askThrough } from '@cmdop/agent'
import { type ClientOptions as CoreOptions, Client as CoreClient } from '@cmdop/core'
import { type AgentDefaults, AgentNamespace } from './agent-namespace.ts'

/** Settings of a client, and of what it operates machines with. */
export interface ClientOptions extends CoreOptions {
  /** Of every `client.agent` run: model, gate, journal, prices, secrets. Default: what the environment configures. */
  agent?: AgentDefaults
}

/** A client of a relay that operates machines too. */
export class Client extends CoreClient {
  /** AI operators on the machine of `client.terminal`, or on one that is named. */
  readonly agent: AgentNamespace

  /** A client with these settings, or with a key for the relay alone. Throws `config` when there is no address of a relay, or a setting is wrong. */
  constructor(given: ClientOptions | string = {}) {
    const { agent, ...options }: ClientOptions = typeof given === 'string' ? { token: given } : given
    super(options)
    this.agent = new AgentNamespace(this.terminal, { askMachine: askThrough(this), ...agent })
  }

  /** A client with the settings of the environment. Throws `config`, naming what is missing. */
  static override fromEnv(): Client {
    return new Client()
  }

  /** A client for a key of the relay: `Client.remote({ apiKey })`. The address comes from `baseUrl` or `CMDOP_BASE_URL`. */
  static override remote({
    apiKey,
    ...options
  }: Omit<ClientOptions, 'token' | 'apiKey' | 'apiBaseUrl'> & { apiKey: string }): Client {
    return new Client({ ...options, token: apiKey })
  }
}
