/** Works on every item, on at most `limit` at a time. The first failure aborts the others, and is what it rejects with. */
export async function inParallel<Item>(
  items: Iterable<Item>,
  { limit, stop }: { limit: number; stop: AbortController },
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]()
  const worker = async () => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
      stop.signal.throwIfAborted()
      await work(next.value)
    }
  }
  const guarded = async () => {
    try {
      await worker()
    } catch (error) {
      stop.abort(error)
    }
  }
  await Promise.all(Array.from({ length: limit }, guarded))
  stop.signal.throwIfAborted()
}
