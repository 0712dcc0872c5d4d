import { assert, asyncProperty, integer, record } from 'fast-check'
import { expect, test } from 'vitest'
import { countedPages, cursorPages, itemsOf, numberedPages, offsetPages, rowsOf } from './pages.ts'

const all = (count: number) => Array.from({ length: count }, (_, index) => ({ id: `i${index}` }))
const sizes = record({ count: integer({ min: 0, max: 40 }), size: integer({ min: 1, max: 9 }) })

test('a list with offsets gives each item once and ends, whatever the relay takes for a page', async () => {
  await assert(
    asyncProperty(sizes, async ({ count, size }) => {
      const items = all(count)
      let asked = 0
      const pages = offsetPages(async (offset) => {
        asked += 1
        return { items: items.slice(offset, offset + size), total: count }
      })
      expect(await Array.fromAsync(itemsOf(pages, ({ id }) => id))).toEqual(items)
      expect(asked).toBe(Math.max(1, Math.ceil(count / size)))
    }),
  )
})

test('a list with offsets ends where its total is not true', async () => {
  const pages = offsetPages(async (offset) => ({ items: all(6).slice(offset, offset + 4), total: 1_000_000 }))
  expect(await Array.fromAsync(itemsOf(pages, ({ id }) => id))).toEqual(all(6))
})

test('an item that comes between two pages shifts the others, and none is given twice', async () => {
  let items = all(6)
  const pages = offsetPages(async (offset) => {
    const page = { items: items.slice(offset, offset + 3), total: items.length }
    items = [{ id: `new${offset}` }, ...items]
    return page
  })
  const ids = (await Array.fromAsync(itemsOf(pages, ({ id }) => id))).map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids).toEqual(expect.arrayContaining(all(6).map(({ id }) => id)))
})

test('more items than a page that come between pages make none come twice', async () => {
  await assert(
    asyncProperty(sizes, integer({ min: 1, max: 25 }), async ({ count, size }, inserted) => {
      let items = all(count)
      let rounds = 0
      const pages = offsetPages(async (offset) => {
        const page = { items: items.slice(offset, offset + size), total: items.length }
        if ((rounds += 1) <= 3) items = [...all(inserted).map(({ id }) => ({ id: `new${rounds}${id}` })), ...items]
        return page
      })
      const ids = (await Array.fromAsync(itemsOf(pages, ({ id }) => id))).map(({ id }) => id)
      expect(new Set(ids).size).toBe(ids.length)
      // A list that ended with its first page was read before anything came.
      expect(ids).toEqual(expect.arrayContaining(all(count).map(({ id }) => id)))
    }),
  )
})

test('a list with cursors ends where one leads back', async () => {
  const next: Record<string, string> = { '': 'a', a: 'b', b: 'a' }
  const asked: string[] = []
  const pages = cursorPages(async (cursor = '') => {
    asked.push(cursor)
    return { items: [{ id: cursor }], nextCursor: next[cursor] ?? null }
  })
  await Array.fromAsync(pages)
  expect(asked).toEqual(['', 'a', 'b'])
})

test('a list whose cursors are numbers begins where it is told, and ends where one does not grow', async () => {
  const asked: number[] = []
  const next: Record<number, number | null> = { 3: 5, 5: 5 }
  const pages = countedPages(async (cursor) => {
    asked.push(cursor)
    return { items: [{ id: cursor }], nextCursor: next[cursor] ?? null }
  }, 3)
  expect(await Array.fromAsync(rowsOf(pages))).toEqual([{ id: 3 }, { id: 5 }])
  expect(asked).toEqual([3, 5])
  const last = countedPages(async () => ({ items: [], nextCursor: null }))
  expect(await Array.fromAsync(last)).toHaveLength(1)
})

test('the rows of a log stop in the middle of a page when the signal aborts', async () => {
  const stop = new AbortController()
  const rows = rowsOf(
    countedPages(async () => ({ items: all(3), nextCursor: null })),
    { signal: stop.signal },
  )
  await rows.next()
  stop.abort()
  await expect(rows.next()).rejects.toMatchObject({ code: 'cancelled' })
  expect((await rows.next()).done).toBe(true)
})

test('a list with numbered pages gives each item once and ends', async () => {
  await assert(
    asyncProperty(sizes, async ({ count, size }) => {
      const items = all(count)
      const pages = numberedPages(async (number) => ({
        results: items.slice((number - 1) * size, number * size),
        hasNext: number * size < count,
      }))
      expect(await Array.fromAsync(itemsOf(pages, ({ id }) => id))).toEqual(items)
    }),
  )
})

test('a list with numbered pages ends where the relay says for ever that there is more', async () => {
  const pages = numberedPages(async (number) => ({ results: number < 3 ? all(1) : [], hasNext: true }))
  expect(await Array.fromAsync(pages)).toHaveLength(2)
})

test('a failing page throws, and whoever leaves the loop asks for no more', async () => {
  let asked = 0
  const pages = offsetPages(async () => {
    asked += 1
    if (asked === 2) throw new Error('gone')
    return { items: all(1), total: 5 }
  })
  await expect(Array.fromAsync(pages)).rejects.toThrow('gone')
  asked = 2
  for await (const _ of offsetPages(async (offset) => ({ items: [{ id: String((asked += 1) + offset) }], total: 9 })))
    break
  expect(asked).toBe(3)
})
