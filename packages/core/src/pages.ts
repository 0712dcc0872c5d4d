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

/**
 * What pages hold, each once: where a list changes while it is read, an item may be on two pages. Throws `cancelled` when the signal aborts,
 * also in the middle of a page.
 */
export async function* itemsOf<Item>(
  pages: AsyncIterable<{ readonly items: readonly Item[] } | { readonly results: readonly Item[] }>,
  idOf: (item: Item) => string,
  { signal }: Cancellable = {},
): AsyncGenerator<Item, void, undefined> {
  let before = new Set<string>()
  for await (const page of pages) {
    const items = 'items' in page ? page.items : page.results
    for (const item of items) {
      if (before.has(idOf(item))) continue
      if (signal?.aborted === true) throw new CmdopError('cancelled', 'The list was read no further.')
      yield item
    }
    // Only neighbours can share one: nothing grows with the list.
    before = new Set(items.map(idOf))
  }
}
