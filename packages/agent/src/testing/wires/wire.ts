/** One answer of the fake server. */
export interface ServerTurn {
  readonly thinking?: string
  readonly text?: string
  readonly calls?: readonly { readonly tool: string; readonly input: unknown; readonly id?: string }[]
  /** Said instead of a text by a model that will not answer. Compatible servers have no word for it. */
  readonly refusal?: string
  /** Default: 10 in, 5 out. */
  readonly usage?: {
    readonly input: number
    readonly output: number
    readonly cached?: number
    readonly reasoning?: number
  }
  /** An error in the stream, after what is written here, with no end of the answer. */
  readonly streamError?: string
  /** An HTTP error instead of an answer. */
  readonly status?: number
  /** Sent beside it: `retry-after-ms`. */
  readonly headers?: Readonly<Record<string, string>>
  /**
   * The connection is destroyed (`reset`), the stream ends in good order too early (`end`) or stays open without another
   * byte (`hang`), each after half of the answer's events.
   */
  readonly breaks?: 'reset' | 'end' | 'hang'
}

/** A protocol that the fake server speaks. */
export interface Wire {
  /** Where the server answers in it. */
  readonly path: string
  /** The server-sent events of an answer, as text, in order. */
  events(turn: ServerTurn, number: number): string[]
  /** The texts of the caller in a request, in order. */
  userTexts(body: RequestBody): string[]
  /** The texts of the tool results in a request, in order. */
  toolResults(body: RequestBody): string[]
  /** Names of the offered tools. */
  tools(body: RequestBody): string[]
  /** An error as the provider words it. */
  error(message: string): unknown
}

/** A request, as JSON. */
export type RequestBody = Readonly<Record<string, unknown>>

/** Calls with the ids they have on the wire. */
export function identified(turn: ServerTurn, number: number): { tool: string; json: string; id: string }[] {
  return (turn.calls ?? []).map(({ tool, input, id = `call_${number}_${tool}` }) => ({
    tool,
    id,
    json: typeof input === 'string' ? input : JSON.stringify(input),
  }))
}

/** A text in two pieces, because a provider streams it in pieces. */
export function pieces(text: string): string[] {
  const middle = Math.ceil(text.length / 2)
  return [text.slice(0, middle), text.slice(middle)].filter((piece) => piece !== '')
}

/** The entries of a list in a request; empty when it is none. */
export function entries(value: unknown): RequestBody[] {
  return Array.isArray(value) ? (value as RequestBody[]) : []
}

/** A text, or the texts of content parts. */
export function textOf(content: unknown): string {
  return typeof content === 'string'
    ? content
    : entries(content)
        .map((part) => (typeof part.text === 'string' ? part.text : ''))
        .join('')
}
