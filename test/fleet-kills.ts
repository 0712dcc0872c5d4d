import { randomInt, randomUUID } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { createFleet } from '@cmdop/fleet'
import { expect } from 'vitest'
import { startChild } from './processes/child.ts'
import { startWorld } from './world.ts'

const MACHINES = 6

/** Events of a script over six machines: it is killed after a random one of them, or between two. */
const EVENTS = 2 * MACHINES + 3

/**
 * Kills the script of a fleet run with SIGKILL at random moments and goes on with the run in another process, `times` times. Whatever
 * came of it, no machine has run the command twice, and what the report says of each is true.
 */
export async function killScripts(times: number): Promise<{ readonly resumed: number; readonly rows: number }> {
  await using world = await startWorld({ machines: MACHINES })
  const folder = await mkdtemp(join(tmpdir(), 'cmdop-fleet-kills-'))
  let resumed = 0
  try {
    for (let time = 0; time < times; time += 1) {
      const runId = randomUUID()
      // A file for each time that it runs anywhere, which says where.
      const command = `mktemp ${join(folder, runId)}.{name}.XXXXXXXX; sleep 0.0${randomInt(10)}`
      const { url: baseUrl, firstKey: token } = world.relay
      const script = await startChild('fleet-process.ts', { baseUrl, token, runId, command, concurrency: 3 })
      const last = randomInt(EVENTS)
      for (let seen = 0; seen < last; seen += 1) if ((await script.lines.next()).done === true) break
      await wait(randomInt(8))
      await script.end('SIGKILL')
      const fleet = createFleet(world.client, '*')
      const known = await world.client.fleetRuns.get(runId).catch(() => undefined)
      // It may have been killed before the relay knew of the run: then nothing ran.
      const ran = async () => (await readdir(folder)).filter((name) => name.startsWith(runId)).length
      if (known === undefined) {
        expect(await ran()).toBe(0)
        continue
      }
      const report = await fleet.resume(runId)
      resumed += 1
      const { ok, lost, unknown } = report.counts
      expect(report.rows, JSON.stringify(report.counts)).toHaveLength(MACHINES)
      expect(ok + lost + unknown).toBe(MACHINES)
      // Each machine that ended well names the file that it made, which no other one made.
      const made = report.rows.flatMap(({ outcome, result }) =>
        outcome === 'ok' && result !== null && 'stdout' in result ? [result.stdout.trim()] : [],
      )
      expect(new Set(made).size).toBe(ok)
      const files = (await readdir(folder)).filter((name) => name.startsWith(runId)).map((name) => join(folder, name))
      expect(files).toEqual(expect.arrayContaining(made))
      // On none twice, also where nobody knows whether it ran.
      const places = files.map((file) => file.split('.').at(-2))
      expect(new Set(places).size, places.join()).toBe(files.length)
      expect(await world.client.fleetRuns.get(runId)).toMatchObject({ state: 'ended', counts: { ok } })
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return { resumed, rows: resumed * MACHINES }
}
