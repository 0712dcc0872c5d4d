import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client, ScheduleRun } from '@cmdop/core'
import { expect } from 'vitest'
import { endedRun } from './schedule-runs.ts'
import { waitFor } from './wait-for.ts'
import { startWorld } from './world.ts'

/**
 * A schedule for every second on several machines, whose relay is killed once and stays away for longer than an instant may be late: each
 * instant is one run or one that was missed, what runs does so on every machine once, and nothing runs twice.
 */
export async function killRelayUnderSchedule(given: {
  seconds: number
  machines: number
  awayMs: number
}): Promise<void> {
  const { seconds, machines, awayMs } = given
  await using world = await startWorld({ machines, separateProcesses: true })
  const { client } = world
  const file = join(await world.folder(), 'log')
  // What it appends is in one piece: the id of its call, which is the same for one run on one machine however often that is sent.
  const command = `printf '%s\\n' "\${CMDOP_CALL##*:}" >> ${file}`
  const { id } = await client.schedules.create({
    name: 'each second',
    cronExpr: '* * * * * *',
    command,
    overlap: 'queue',
    graceSeconds: 1,
    concurrency: machines,
    keepRuns: 1000,
  })
  const half = Math.ceil(seconds / 2)
  await whenRan(client, id, half)
  await world.relay.kill()
  await new Promise((resolve) => setTimeout(resolve, awayMs))
  await world.relay.restart()
  for (const machine of world.machines) await world.whenOnline(machine)
  await whenRan(client, id, seconds)
  await client.schedules.update(id, { isEnabled: false })
  const runs = await allEnded(client, id)
  assertEachInstant(runs)
  const missed = runs.filter(({ status }) => status === 'missed')
  expect(missed.length).toBeGreaterThanOrEqual(1)
  const ran = new Set<string>()
  const mayHaveRun = new Set<string>()
  for (const { id: runId, status } of runs) {
    if (status === 'missed') continue
    const { results } = await endedRun(client, id, runId)
    // What was under way when the relay was killed is told as what it is; the rest is whole.
    const isWhole = results.length === machines && results.every((result) => result.status === 'ok')
    if (status === 'success') expect(isWhole).toBe(true)
    expect(new Set(results.map(({ machineId }) => machineId)).size).toBe(results.length)
    for (const { status: how, attempts, callId } of results) {
      expect(['ok', 'lost', 'unknown', 'unreachable']).toContain(how)
      expect(attempts).toBeLessThanOrEqual(1)
      if (how === 'ok') ran.add(callId)
      else if (how !== 'unreachable') mayHaveRun.add(callId)
    }
  }
  const written = (await readFile(file, 'utf8')).trim().split('\n')
  const once = new Set(written)
  expect(written).toHaveLength(once.size)
  expect([...ran].filter((callId) => !once.has(callId))).toEqual([])
  expect(written.filter((callId) => !ran.has(callId) && !mayHaveRun.has(callId))).toEqual([])
  expect(runs.filter(({ status }) => status === 'success').length).toBeGreaterThanOrEqual(seconds)
}

async function whenRan(client: Client, id: string, count: number): Promise<void> {
  await waitFor(
    `${count} ran`,
    async () => {
      const runs = await Array.fromAsync(client.schedules.iterRuns(id, { limit: 200 })).catch(() => [])
      return runs.filter(({ status }) => status === 'success').length >= count
    },
    count * 3000 + 90_000,
  )
}

async function allEnded(client: Client, id: string): Promise<ScheduleRun[]> {
  return waitFor(
    'every run is over',
    async () => {
      const runs = await Array.fromAsync(client.schedules.iterRuns(id, { limit: 200 }))
      return runs.every(({ finishedAt }) => finishedAt !== null) && runs
    },
    120_000,
  )
}

/** The instants follow one another without a gap, each once. */
function assertEachInstant(runs: readonly ScheduleRun[]): void {
  const instants = runs.map(({ dueAt }) => Date.parse(dueAt)).toSorted((one, other) => one - other)
  const [first = 0] = instants
  expect(instants).toEqual(instants.map((_, index) => first + index * 1000))
}
