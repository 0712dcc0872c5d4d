import { randomInt, randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { expect } from 'vitest'
import { loggedPlaybook, logOf, undoing, words } from './logged-playbook.ts'
import { startChild } from './processes/child.ts'
import { startWorld } from './world.ts'

const MACHINES = 3

/** Events of a script that is not killed, and so the most after which one is. */
const EVENTS = 60

/** Scripts of one playbook that are killed, one after the other, at most. */
const MOST_KILLS = 3

/**
 * Kills the script of a playbook with SIGKILL at random moments, and whoever goes on with it, too; then goes on with it to its end.
 * Whatever came of it, each machine has done each step once and in order, and has undone what had to be undone, once and in reverse
 * order. Gives how many scripts were killed while the playbook was under way, and how many of these while it was being undone.
 */
export async function killPlaybooks(times: number): Promise<{ readonly kills: number; readonly undoing: number }> {
  await using world = await startWorld({ machines: MACHINES })
  const { url: baseUrl, firstKey: token } = world.relay
  let [kills, whileUndoing] = [0, 0]
  for (let time = 0; time < times; time += 1) {
    const runId = randomUUID()
    const fails = time % 2 === 0
    const inputs = { folder: await world.folder(), fails }
    const logs = () =>
      Promise.all(
        world.machines.map(async (machine) => {
          const text = await readFile(logOf(inputs.folder, machine), 'utf8').catch(() => '')
          return text.trim().split('\n')
        }),
      )
    const state = async () => (await world.client.fleetRuns.get(runId).catch(() => undefined))?.state
    for (let count = randomInt(1, MOST_KILLS + 1); count > 0; count -= 1) {
      const isBegun = (await state()) !== undefined
      const script = await startChild('playbook-process.ts', { baseUrl, token, runId, inputs, isBegun })
      const last = randomInt(EVENTS)
      for (let seen = 0; seen < last; seen += 1) if ((await script.lines.next()).done === true) break
      await wait(randomInt(12))
      await script.end('SIGKILL')
      if ((await state()) !== 'running') break
      kills += 1
      if ((await logs()).flat().some((word) => word.startsWith('undo'))) whileUndoing += 1
    }
    if ((await state()) === undefined) {
      expect(await logs()).toEqual(world.machines.map(() => ['']))
      continue
    }
    const report = await loggedPlaybook.resume(world.client, runId)
    expect(report.outcome, report.message ?? '').toBe(fails ? 'failed' : 'ok')
    expect(report.rollbacks.map(({ outcome }) => outcome)).toEqual(fails ? ['ok', 'ok', 'ok'] : [])
    // Each once, and in order.
    const expected = fails ? [...words, ...undoing] : words
    for (const log of await logs()) {
      expect(log.slice(0, 3)).toEqual(words.slice(0, 3))
      expect(fails && !log.includes('four') ? ['four', ...log.slice(3)] : log.slice(3)).toEqual(expected.slice(3))
    }
    expect(await state()).toBe(fails ? 'stopped' : 'ended')
  }
  return { kills, undoing: whileUndoing }
}
