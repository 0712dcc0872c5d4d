import { randomInt } from 'node:crypto'
import { expect } from 'vitest'
import { exportAndVerify, withoutOutcome } from './verified-export.ts'
import { waitFor } from './wait-for.ts'
import type { World } from './world.ts'

/** Requests under way at once; some of them are between intent and outcome at any moment. */
const WRITERS = 8
/** Acknowledged requests after which the relay is killed at the latest. */
const MOST_ACKNOWLEDGED = 40

/**
 * Kills the relay `kills` times in the middle of what is written down, and starts it again. Each time the log verifies,
 * every intent of before has one outcome, if only `unknown`, and what was acknowledged has its own. Gives back how many were
 * unknown.
 */
export async function killBetweenIntentAndOutcome(world: World, kills: number): Promise<number> {
  for (let round = 0; round < kills; round += 1) {
    const acknowledged = await writeUntilKilled(world)
    await world.relay.restart()
    const { rows, result } = await exportAndVerify(world.client)
    expect(result.firstProblem).toBeNull()
    const start = rows.findLastIndex(({ action, kind }) => action === 'relay.start' && kind === 'intent')
    expect(withoutOutcome(rows.slice(0, start))).toEqual([])
    const outcomes = rows.filter(({ kind }) => kind === 'outcome')
    expect(new Set(outcomes.map(({ intentId }) => intentId)).size).toBe(outcomes.length)
    const issued = new Set(outcomes.filter(({ code }) => code === null).map(({ subject }) => subject))
    expect(acknowledged.filter((keyId) => !issued.has(`key:${keyId}`))).toEqual([])
  }
  const { items } = await world.client.audit.getLogs({ code: 'unknown', limit: 1000 })
  return items.filter(({ action }) => action !== 'relay.start').length
}

async function writeUntilKilled(world: World): Promise<string[]> {
  const acknowledged: string[] = []
  const wanted = randomInt(MOST_ACKNOWLEDGED)
  // Between its intent and its outcome until the relay is gone, if the machine has come back from the kill before.
  world.handle.exec(['sleep', '1000'], { orphanMs: 1 }).then(undefined, () => {})
  const stop = new AbortController()
  const writers = Array.from({ length: WRITERS }, async () => {
    while (!stop.signal.aborted) {
      const issued = await world.client.keys
        .issue({ name: 'of a kill' }, { signal: stop.signal })
        .catch(() => undefined)
      if (issued !== undefined) acknowledged.push(issued.id)
    }
  })
  await waitFor('enough was acknowledged', () => acknowledged.length >= wanted)
  await world.relay.kill()
  stop.abort()
  await Promise.all(writers)
  return acknowledged
}
