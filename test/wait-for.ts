import { setTimeout as sleep } from 'node:timers/promises'

/** Asks until the answer is neither undefined nor false, and gives it back. Fails after `withinMs`. */
export async function waitFor<Value>(
  what: string,
  ask: () => Value | undefined | false | Promise<Value | undefined | false>,
  withinMs = 10_000,
): Promise<Value> {
  const end = performance.now() + withinMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    if (performance.now() > end) throw new Error(`Waited ${withinMs} ms in vain until ${what}.`)
    await sleep(10)
  }
}
