/**
 * Runs generators side by side: their items as they come, and at the end what each returned, in the order of the list.
 * When one throws, the others come to their own end first.
 */
export async function* merged<Item, Result>(
  generators: readonly AsyncGenerator<Item, Result, void>[],
): AsyncGenerator<Item, Result[], void> {
  const results = new Map<number, Result>()
  const pending = new Set<number>()
  const failures: unknown[] = []
  // Not by Promise.race: a generator that is silent for long would keep whatever the others gave meanwhile.
  const ready: Taken<Item, Result>[] = []
  let wake = Promise.withResolvers<void>()
  const arrived = (taken: Taken<Item, Result>): void => {
    ready.push(taken)
    wake.resolve()
  }
  const take = (index: number): void => {
    const generator = generators[index]
    if (generator === undefined) return
    pending.add(index)
    generator.next().then(
      (next) => arrived({ index, next }),
      (error: unknown) => arrived({ index, error }),
    )
  }
  for (const index of generators.keys()) take(index)
  try {
    while (pending.size > 0) {
      const taken = ready.shift()
      if (taken === undefined) {
        await wake.promise
        wake = Promise.withResolvers()
        continue
      }
      pending.delete(taken.index)
      if ('error' in taken) failures.push(taken.error)
      else if (taken.next.done === true) results.set(taken.index, taken.next.value)
      else {
        yield taken.next.value
        take(taken.index)
      }
    }
  } finally {
    for (const index of pending) await generators[index]?.return(undefined as Result)
  }
  if (failures.length > 0) throw failures[0]
  return generators.map((_, index) => results.get(index) as Result)
}

type Taken<Item, Result> =
  | { readonly index: number; readonly next: IteratorResult<Item, Result> }
  | { readonly index: number; readonly error: unknown }

/** The items that `work` emits while it goes on, then what it resolves to. */
export async function* emitted<Item, Result>(
  work: (emit: (item: Item) => void) => Promise<Result>,
): AsyncGenerator<Item, Result, void> {
  const items: Item[] = []
  let wake = Promise.withResolvers<void>()
  let settled = false
  const result = work((item) => {
    items.push(item)
    wake.resolve()
  })
  const settle = (): void => {
    settled = true
    wake.resolve()
  }
  result.then(settle, settle)
  for (;;) {
    await wake.promise
    wake = Promise.withResolvers()
    yield* items.splice(0)
    if (settled && items.length === 0) return await result
  }
}
