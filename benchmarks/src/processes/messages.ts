/** What a process of the benchmark says once it is ready to be measured. */
export interface ReadyMessage {
  readonly type: 'ready'
  readonly [detail: string]: unknown
}

/** Memory of a process in bytes, after a full garbage collection. */
export interface MemoryMessage {
  readonly type: 'memory'
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
}

/** What the benchmark asks a process. */
export type Question =
  | { readonly type: 'memory' }
  | { readonly type: 'spawn'; readonly argv: readonly string[]; readonly count: number; readonly atOnce: number }
  | { readonly type: 'arrivals' }
  | { readonly type: 'connect'; readonly url: string; readonly count: number }
