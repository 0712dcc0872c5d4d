import type { FileSearchParams, SearchEnd, SearchMatch } from '@cmdop/protocol'

/** What a thread that searches is started with. */
export interface SearchOrder {
  readonly params: FileSearchParams
  readonly root: Uint8Array
  /** One number: counts up with each name or line that is tried, and is odd while one is. */
  readonly tries: Int32Array
}

/** What it says: some matches, after which it waits for a word; at last the end, or why there is none. */
export type SearchAnswer =
  | { readonly matches: readonly SearchMatch[] }
  | { readonly end: SearchEnd }
  | { readonly errno: string; readonly message: string }
