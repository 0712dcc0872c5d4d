import { createFleet, type FleetMachine } from '@cmdop/fleet'
import { expect } from 'vitest'
import { type Child, startChild } from './processes/child.ts'
import { startWorld } from './world.ts'

/** Daemons that start at once: each needs a second of a core. */
const STARTED_AT_ONCE = 4

/** Daemons in one process, where nothing happens to them. */
const PACKED = 50

/** Milliseconds after a machine's time within which it has to have said so. */
const SAID_BY_MS = 5000

/** How many daemons, and what happens to some of them. */
export interface Losses {
  readonly machines: number
  /** By SIGKILL, while the run is under way. */
  readonly killed: number
  /** By SIGSTOP. */
  readonly stopped: number
  /** Milliseconds that each machine has. */
  readonly timeoutMs: number
}

/**
 * A command over many real daemons, twice: all of them answer; then some are killed and some are stopped while it runs. The report
 * names exactly those, in time, and the others have answered as if nothing had been.
 */
export async function loseMachines({
  machines,
  killed,
  stopped,
  timeoutMs,
}: Losses): Promise<{ readonly lostWithinMs: number }> {
  await using world = await startWorld({ machines: 0, separateProcesses: true })
  await using children = new AsyncDisposableStack()
  const folder = await world.folder()
  const { rawToken: token } = await world.client.enrollmentTokens.issue({ maxUses: machines })
  const start = async (names: readonly string[]) => {
    const child = await startChild('machines-process.ts', { folder, relayUrl: world.relay.url, token, names })
    children.defer(() => child.end())
    return child
  }
  const victims = Array.from({ length: killed + stopped }, (_, index) => `victim-${String(index).padStart(3, '0')}`)
  const others = Array.from({ length: machines - victims.length }, (_, index) => `m-${String(index).padStart(3, '0')}`)
  const alone = new Map<string, Child<unknown>>()
  for (let next = 0; next < victims.length; next += STARTED_AT_ONCE)
    await Promise.all(
      victims.slice(next, next + STARTED_AT_ONCE).map(async (name) => alone.set(name, await start([name]))),
    )
  for (let next = 0; next < others.length; next += PACKED) await start(others.slice(next, next + PACKED))

  const fleet = createFleet(world.client, '*')
  const before = await fleet.exec('uptime', { timeoutMs: 30_000 })
  expect(before.rows.filter(({ result }) => result?.stdout.includes('load average') === true)).toHaveLength(machines)
  expect(before.ok).toBe(true)

  // Half of them in the middle of the run, when the other half runs already.
  const order = (all: readonly FleetMachine[]) => {
    const isVictim = ({ name }: FleetMachine) => alone.has(name)
    const [doomed, safe] = [all.filter(isVictim), all.filter((machine) => !isVictim(machine))]
    const half = Math.ceil(doomed.length / 2)
    const middle = Math.ceil(safe.length / 2)
    return [...doomed.slice(0, half), ...safe.slice(0, middle), ...doomed.slice(half), ...safe.slice(middle)]
  }
  const began = performance.now()
  const run = fleet.exec(({ name }) => (alone.has(name) ? 'sleep 60' : 'uptime'), {
    order,
    timeoutMs,
    // Two that others go through, one after the other.
    concurrency: victims.length + 2,
  })
  let othersEndedMs = 0
  let ended = 0
  for await (const event of run) {
    if (event.type !== 'machine-end') continue
    if (!alone.has(event.row.machine.name)) othersEndedMs = performance.now() - began
    ended += 1
    if (ended === 1)
      for (const [index, name] of victims.entries()) alone.get(name)?.signal(index < killed ? 'SIGKILL' : 'SIGSTOP')
  }
  const lostWithinMs = performance.now() - began
  const report = await run
  const named = report.rows.filter(({ outcome }) => ['lost', 'unreachable', 'timeout'].includes(outcome))
  const counts = JSON.stringify(report.counts)
  expect(named.map(({ machine }) => machine.name).sort(), counts).toEqual(victims)
  expect(report.counts.ok, counts).toBe(others.length)
  expect(lostWithinMs).toBeLessThan(timeoutMs + SAID_BY_MS + 2000)
  // Nobody waited for them: there was room beside all of them.
  expect(othersEndedMs).toBeLessThan(timeoutMs)
  return { lostWithinMs }
}
