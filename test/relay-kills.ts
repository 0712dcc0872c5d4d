import { isCmdopError } from '@cmdop/protocol'
import { expect } from 'vitest'
import { waitFor } from './wait-for.ts'
import type { World } from './world.ts'

/**
 * Kills the relay in the middle of many commands and starts it again on its port and folder. Every command has its
 * right result or a coded error; for each that has a result, the row that allowed it is in the store.
 */
export async function killRelayDuringExecs(world: World, { execs }: { execs: number }): Promise<void> {
  const { fleetId } = await world.client.me()
  let settled = 0
  const running = Array.from({ length: execs }, async (_, index) => {
    const execution = world.handle.exec(`sleep 0.0$((${index} % 10)); echo ${index}`)
    const outcome = await execution.then(
      ({ stdout }) => stdout,
      (error: unknown) => error,
    )
    settled += 1
    return { callId: execution.callId, index, outcome }
  })
  await waitFor('some have ended', () => settled > execs / 10)
  await world.relay.kill()
  await world.relay.restart()
  const results = await Promise.all(running)
  await world.whenOnline(world.machine)

  const store = await world.openStore()
  const allowed = new Set<string>()
  for (let after = 0, more = true; more;) {
    const rows = await store.audit.list(fleetId, { limit: 500, after })
    for (const { row } of rows) {
      if (row.kind === 'intent' && row.decision === 'allow' && row.callId !== null) allowed.add(row.callId)
    }
    after = rows.at(-1)?.position ?? after
    more = rows.length > 0
  }
  for (const { outcome, index, callId } of results) {
    if (typeof outcome !== 'string') expect(isCmdopError(outcome)).toBe(true)
    else {
      expect(outcome).toBe(`${index}\n`)
      expect(allowed).toContain(callId)
    }
  }
  // A connection that was lost is taken up again: most commands do not notice.
  expect(results.filter(({ outcome }) => typeof outcome === 'string').length).toBeGreaterThan(execs / 2)
}
