import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readdirSync } from 'node:fs'
import { startMachine } from '@cmdop/machine'
import { describe, expect, test } from 'vitest'
import { startTwoRelays } from './two-relays.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World, type WorldMachine } from './world.ts'

/** A daemon with a copy of a machine's folder, as a cloned disk has it. */
async function startCopy(world: World, { dataDir }: Pick<WorldMachine, 'dataDir'>) {
  const copied = join(await world.folder(), 'copy')
  await cp(dataDir, copied, { recursive: true, filter: (path) => !path.endsWith('lock') && !path.endsWith('.sock') })
  for (const name of readdirSync(copied)) if (name.includes('lock')) await rm(join(copied, name), { recursive: true })
  return startMachine({ dataDir: copied, logLevel: 'silent' })
}

async function whenQuarantined(world: World): Promise<void> {
  await waitFor('it is in quarantine', async () => {
    const { quarantined_at: at } = await world.client.machines.get(world.machine.id)
    return at !== null
  })
}

describe('two daemons with the key of one machine', () => {
  test('may both run nothing, are reported, and run again once a person has released the one that is left', async () => {
    await using world = await startWorld()
    const { client, machine, handle } = world
    const store = await world.openStore()
    const { fleet_id: fleetId } = await client.me()
    const copy = await startCopy(world, machine)
    await whenQuarantined(world)
    await waitFor('neither is connected', async () => (await client.machines.get(machine.id)).presence !== 'online')
    await expect(handle.exec('true')).rejects.toMatchObject({
      code: 'quarantined',
      message: expect.stringContaining(`cmdop machines release ${machine.name}`),
    })
    const rows = await store.audit.list(fleetId, { limit: 100, machineId: machine.id })
    expect(rows.map(({ row }) => `${row.action} ${row.decision} ${row.code}`)).toEqual(
      expect.arrayContaining(['machine.quarantine deny quarantined', 'exec deny quarantined']),
    )
    // Whoever comes again is not let in either.
    await machine.restart()
    expect((await client.machines.get(machine.id)).quarantined_at).not.toBeNull()

    await copy.close()
    expect(await client.machines.release(machine.id)).toMatchObject({ quarantined_at: null })
    await machine.restart()
    await world.whenOnline(machine)
    expect((await handle.exec('echo back')).stdout).toBe('back\n')
  })

  test('are not two where the first one is gone, or does not answer', async () => {
    await using world = await startWorld({ separateProcesses: true })
    const { client, machine, handle } = world
    await machine.kill()
    await machine.restart()
    await world.whenOnline(machine)
    machine.signal('SIGSTOP')
    const copy = await startCopy(world, machine)
    expect((await handle.exec('echo from the copy')).stdout).toBe('from the copy\n')
    expect((await client.machines.get(machine.id)).quarantined_at).toBeNull()
    // It comes back, and then there are two.
    machine.signal('SIGCONT')
    await whenQuarantined(world)
    await copy.close()
  })

  test('are found out when they are connected to two relays', async () => {
    await using world = await startTwoRelays()
    const { one, two, store, machineId } = world
    const copied = join(world.folder, 'copy')
    await cp(join(world.folder, 'machine'), copied, { recursive: true, filter: (path) => !path.endsWith('lock') })
    await using copy = await startMachine({ dataDir: copied, relayUrl: two.url, logLevel: 'silent' })
    expect(copy.state.machineId).toBe(machineId)
    await waitFor('it is in quarantine', async () => (await store.machines.get(machineId))?.quarantinedAt !== null)
    for (const relay of [one, two]) {
      const client = world.connect(relay, one.firstKey)
      await waitFor('no relay has it', async () => (await client.machines.get(machineId)).presence !== 'online')
      const machine = await client.machine(machineId)
      await expect(machine.exec('true')).rejects.toMatchObject({ code: 'quarantined' })
    }
  })
})
