import type { Transport } from '@cmdop/protocol'
import type { Listen } from './tunnels/tunnel-listener.ts'

/** Where the client gets its settings from, besides what it is given. */
export interface SettingsSource {
  /** Variables of the environment; empty in a browser. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** What the command line keeps: an address and the key for it. Asked only when something is missing. */
  configFile(): { baseUrl?: string | undefined; token?: string | undefined }
}

/** What differs between Node and a browser. */
export interface Platform {
  readonly settings: SettingsSource
  fetch(url: string, request: HttpRequest): Promise<HttpAnswer>
  /** Opens a WebSocket of the channel protocol. `bearer` where headers can be set, otherwise a ticket in the URL. */
  openChannel(address: ChannelAddress, signal: AbortSignal): Promise<Transport>
  /** A hash that grows with its content; absent where there is none, as in a browser. */
  readonly createSha256?: () => Sha256Hash
  /** Takes connections; absent where nothing can, as in a browser. */
  readonly listen?: Listen
}

/** SHA-256 of content as it comes. */
export interface Sha256Hash {
  update(data: Uint8Array): unknown
  /** A second one with the same content so far. */
  copy(): Sha256Hash
  /** In hex; nothing can be added any more. */
  digest(): string
}

/** The part of `fetch` that a client needs; every platform's own fits. */
export interface HttpRequest {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body?: string
  readonly signal: AbortSignal
  /** A redirect would carry the key elsewhere. */
  readonly redirect: 'error'
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  text(): Promise<string>
  arrayBuffer(): Promise<ArrayBuffer>
  /** The body as it comes; null when there is none. */
  readonly body: { getReader(): HttpBodyReader } | null
}

/** The part of a stream's reader that a client needs. */
export interface HttpBodyReader {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>
  cancel(): Promise<void>
}

export interface ChannelAddress {
  /** `wss://relay.example/api/channel`. */
  readonly url: string
  readonly bearer: string
  /** Asks the relay for a one-use pass, for a platform that can set no header. */
  readonly ticket: () => Promise<string>
}
