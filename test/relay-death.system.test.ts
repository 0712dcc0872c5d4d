import { describe, expect, test } from 'vitest'
import { killRelayDuringExecs } from './relay-kills.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type WorldOptions } from './world.ts'

const counter = 'i=0; while [ $i -lt 150 ]; do i=$((i+1)); echo $i; sleep 0.01; done'
const counted = Array.from({ length: 150 }, (_, index) => `${index + 1}\n`).join('')

// Each in a world of its own: a machine waits the longer before it connects again, the more often it lost its relay.
const processes: WorldOptions = { separateProcesses: true }

describe('a relay that is killed', () => {
  test('during 200 commands loses no row, and every command has its result or a coded error', async () => {
    await using world = await startWorld(processes)
    await killRelayDuringExecs(world, { execs: 200 })
  })

  test('during a command costs the client nothing once it is there again', async () => {
    await using world = await startWorld(processes)
    const { relayId } = world.relay
    let output = ''
    let restarted: Promise<void> | undefined
    for await (const { data } of world.handle.exec(counter)) {
      output += Buffer.from(data).toString()
      if (output.includes('40\n')) restarted ??= world.relay.kill().then(() => world.relay.restart())
    }
    await restarted
    expect(output).toBe(counted)
    expect(await world.client.me()).toMatchObject({ role: 'owner' })
    expect(world.relay.relayId).toBe(relayId)
  })

  test('and is back before the answer, is asked again by what only reads', async () => {
    await using world = await startWorld(processes)
    expect(await world.handle.exec('echo first')).toMatchObject({ stdout: 'first\n' })
    await world.relay.kill()
    const asked = Promise.allSettled([world.handle.facts()])
    await world.relay.restart()
    const [facts] = await asked
    if (facts.status === 'rejected') throw facts.reason
    expect(facts.value).toMatchObject({ hostname: world.handle.hostname })
    expect(await world.handle.exec('echo also')).toMatchObject({ stdout: 'also\n' })
  })

  test('loses no key that it had confirmed', async () => {
    await using world = await startWorld({ ...processes, machines: 0 })
    for (let round = 0; round < 3; round += 1) {
      const confirmed: string[] = []
      const issuing = (async () => {
        for (;;) confirmed.push((await world.client.keys.issue({ name: `round ${round}` })).id)
      })().catch((error: unknown) => error)
      await waitFor('some are confirmed', () => confirmed.length > 5 + round * 20)
      await world.relay.kill()
      expect(await issuing).toMatchObject({ code: 'connection' })
      await world.relay.restart()
      const listed = new Set<string>()
      for await (const { id } of world.client.keys.iter()) listed.add(id)
      expect(confirmed.filter((id) => !listed.has(id))).toEqual([])
    }
  })
})
