import { CmdopError } from '@cmdop/protocol'
import type { Cancellable } from './cancellable.ts'

/** A way to ask for one page: a call that takes where it begins. */
type Ask<Place, Page> = (place: Place) => Promise<Page>

/** The page of a list that is answered whole. */
export async function* onePage<Page>(ask: () => Promise<Page>): AsyncGenerator<Page, void, undefined> {
  yield await ask()
}

/** Every page of a list with cursors. Ends with the last one, and when a page leads on to one that was there. */
export async function* cursorPages<Page extends { readonly nextCursor?: string | null | undefined }>(
  ask: Ask<string | undefined, Page>,
): AsyncGenerator<Page, void, undefined> {
  const seen = new Set<string>()
  for (let cursor: string | undefined; ;) {
    const page = await ask(cursor)
    yield page
    const next = page.nextCursor
    if (next === null || next === undefined || seen.has(next)) return
    seen.add(next)
    cursor = next
  }
}

/** Every page of a list whose cursors are numbers that grow. Ends with the last one, and when a page does not lead on. */
export async function* countedPages<Page extends { readonly nextCursor: number | null }>(
  ask: Ask<number, Page>,
  from = 0,
): AsyncGenerator<Page, void, undefined> {
  for (let cursor = from; ;) {
    const page = await ask(cursor)
    yield page
    if (page.nextCursor === null || page.nextCursor <= cursor) return
    cursor = page.nextCursor
  }
}

/** Every page of a list with offsets. Ends at `total`, and with a page that is empty. */
export async function* offsetPages<Page extends { readonly items: readonly unknown[]; readonly total: number }>(
  ask: Ask<number, Page>,
): AsyncGenerator<Page, void, undefined> {
  for (let offset = 0; ;) {
    const page = await ask(offset)
    if (page.items.length === 0 && offset > 0) return
    yield page
    offset += page.items.length
    if (page.items.length === 0 || offset >= page.total) return
  }
}

/** Every page of a list with numbered pages, from 1. Ends where the relay says that none follows, and with a page that is empty. */
export async function* numberedPages<Page extends { readonly results: readonly unknown[]; readonly hasNext: boolean }>(
  ask: Ask<number, Page>,
): AsyncGenerator<Page, void, undefined> {
  for (let number = 1; ; number += 1) {
    const page = await ask(number)
    if (page.results.length === 0 && number > 1) return
    yield page
    if (page.results.length === 0 || !page.hasNext) return
  }
}

/** What holds items on a page, by the list's own word. */
type Held<Item> =
  | { readonly items: readonly Item[] }
  | { readonly results: readonly Item[] }
  | { readonly entries: readonly Item[] }

/**
 * What pages hold, each once: where a list changes while it is read, an item may come again on any later page, so the ids of all that was
 * given are remembered. Throws `cancelled` when the signal aborts, also in the middle of a page.
 */
export async function* itemsOf<Item>(
  pages: AsyncIterable<Held<Item>>,
  idOf: (item: Item) => string,
  options: Cancellable = {},
): AsyncGenerator<Item, void, undefined> {
  const given = new Set<string>()
  for await (const item of rowsOf(pages, options)) {
    const id = idOf(item)
    if (given.has(id)) continue
    given.add(id)
    yield item
  }
}

/** What pages of a log hold, whose rows stay in their places: nothing is remembered, however long it is. Throws as {@link itemsOf}. */
export async function* rowsOf<Item>(
  pages: AsyncIterable<Held<Item>>,
  { signal }: Cancellable = {},
): AsyncGenerator<Item, void, undefined> {
  for await (const page of pages) {
    for (const item of heldBy(page)) {
      if (signal?.aborted === true) throw new CmdopError('cancelled', 'The list was read no further.')
      yield item
    }
  }
}

function heldBy<Item>(page: Held<Item>): readonly Item[] {
  if ('items' in page) return page.items
  return 'results' in page ? page.results : page.entries
}
