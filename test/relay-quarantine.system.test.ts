import { cp, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readdirSync } from 'node:fs'
import { startMachine } from '@cmdop/machine'
import { describe, expect, test } from 'vitest'
import { startTwoRelays, type TwoRelays } from './two-relays.ts'
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
    const { quarantinedAt: at } = await world.client.machines.get(world.machine.id)
    return at !== null
  })
}

describe('two daemons with the key of one machine', () => {
  test('may both run nothing, are reported, and run again once a person has released the one that is left', async () => {
    await using world = await startWorld()
    const { client, machine, handle } = world
    const store = await world.openStore()
    const { fleetId } = await client.me()
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
    expect((await client.machines.get(machine.id)).quarantinedAt).not.toBeNull()

    await copy.close()
    expect(await client.machines.release(machine.id)).toMatchObject({ quarantinedAt: null })
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
    expect((await client.machines.get(machine.id)).quarantinedAt).toBeNull()
    // It comes back, and then there are two.
    machine.signal('SIGCONT')
    await whenQuarantined(world)
    await copy.close()
  })

  test('are found out and reported within a second when they are connected to two relays of a set', async () => {
    await using world = await startTwoRelays()
    const { two, store, machineId } = world
    await using copy = await startCopyAt(two.url, world)
    const connectedAt = performance.now()
    expect(copy.state.machineId).toBe(machineId)
    await waitFor('it is in quarantine', async () => (await store.machines.get(machineId))?.quarantinedAt !== null)
    await waitFor('it is reported', async () => (await reports(world)) > 0)
    expect(performance.now() - connectedAt).toBeLessThan(1000)
    await assertNeitherRuns(world)
    expect(await reports(world)).toBe(1)
  })

  test('are found out and reported once, also when they come to two relays at the same moment', async () => {
    await using world = await startTwoRelays()
    const { one, two, store, machineId } = world
    await world.stop()
    for (let count = 1; count <= 5; count += 1) {
      const daemons = await Promise.all([one, two].map(({ url }) => startCopyAt(url, world)))
      await waitFor('it is in quarantine', async () => (await store.machines.get(machineId))?.quarantinedAt !== null)
      await waitFor('it is reported', async () => (await reports(world)) >= count)
      await assertNeitherRuns(world)
      expect(await reports(world)).toBe(count)
      await Promise.all(daemons.map((daemon) => daemon.close()))
      await world.connect(one).machines.release(machineId)
    }
  })
})

/** Another daemon with the key of the machine, at one of the relays. */
async function startCopyAt(relayUrl: string, { folder }: TwoRelays) {
  const dataDir = await mkdtemp(join(folder, 'copy-'))
  await cp(join(folder, 'machine'), dataDir, { recursive: true, filter: (path) => !path.endsWith('lock') })
  return startMachine({ dataDir, relayUrl, logLevel: 'silent' })
}

async function assertNeitherRuns(world: TwoRelays): Promise<void> {
  const { one, two, machineId } = world
  for (const relay of [one, two]) {
    const client = world.connect(relay)
    await waitFor('no relay has it', async () => (await client.machines.get(machineId)).presence !== 'online')
    const machine = await client.machine(machineId)
    await expect(machine.exec('true')).rejects.toMatchObject({ code: 'quarantined' })
  }
}

/** How often the audit log says that there are two. */
async function reports(world: TwoRelays): Promise<number> {
  const { store, one, machineId } = world
  const { fleetId } = await world.connect(one).me()
  const rows = await store.audit.list(fleetId, { limit: 500, machineId })
  return rows.filter(({ row }) => row.action === 'machine.quarantine' && row.code === 'quarantined').length
}
