import { Client } from '@cmdop/core'
import { enrollMachine, startMachine } from '@cmdop/machine'
import { createMemoryTransports } from '@cmdop/protocol'
import {
  createMemoryBus,
  type DialRelay,
  FileBlobs,
  openSqliteStore,
  type Relay,
  startRelay,
  type Store,
} from '@cmdop/relay'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeEmptyDatabase } from '../packages/relay/src/store/sqlite/empty-database.ts'
import { waitFor } from './wait-for.ts'

/** Two relays on one store and one bus, a machine at the first and a client at the second. */
export interface TwoRelays extends AsyncDisposable {
  readonly one: Relay
  readonly two: Relay
  readonly store: Store
  readonly machineId: string
  /** Of all of it; the machine's data is in `machine`. */
  readonly folder: string
  /** A client of a relay; the owner's unless it has a key. */
  connect(relay: Relay, token?: string): Client
  /** Lets the machine connect to another relay of the set. */
  move(to: Relay): Promise<void>
  /** Ends the machine's daemon. */
  stop(): Promise<void>
}

/** Starts the set. */
export async function startTwoRelays(): Promise<TwoRelays> {
  await using opening = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'cmdop-two-'))
  opening.defer(() => rm(folder, { recursive: true }))
  const file = join(folder, 'shared.sqlite')
  await writeEmptyDatabase(file)
  const store = opening.use(await openSqliteStore({ file }))
  const bus = opening.use(createMemoryBus())
  const blobs = new FileBlobs(join(folder, 'recordings'))
  const relays = new Map<string, Relay>()
  const dial: DialRelay = async (relayInstance) => {
    const [near, far] = createMemoryTransports()
    const relay = relays.get(relayInstance)
    if (relay === undefined) throw new Error(`There is no relay ${relayInstance}.`)
    relay.acceptRelay(far)
    return near
  }
  const start = async (name: string) => {
    const settings = { name, dataDir: join(folder, name), port: 0, logLevel: 'silent' as const, drainMs: 100 }
    const relay = opening.use(await startRelay(settings, { store, bus, blobs, dial }))
    relays.set(relay.relayInstance, relay)
    return relay
  }
  const [one, two] = [await start('one'), await start('two')]
  const connect = (relay: Relay, token = one.firstKey ?? '') =>
    opened.use(new Client({ baseUrl: relay.url, token, timeoutMs: 10_000 }))
  let opened: AsyncDisposableStack = opening
  const dataDir = join(folder, 'machine')
  const { rawToken: token } = await connect(one).enrollmentTokens.issue()
  const { machineId } = await enrollMachine({ relayUrl: one.url, token, dataDir, name: 'wanderer' })
  let machine = await startMachine({ dataDir, logLevel: 'silent' })
  opening.defer(() => machine.close())
  const client = connect(two)
  const whenOnline = () =>
    waitFor('it is online', async () => (await client.machines.get(machineId)).presence === 'online')
  await whenOnline()
  const world: TwoRelays = {
    one,
    two,
    store,
    machineId,
    folder,
    connect,
    move: async (to) => {
      await machine.close()
      const file = join(dataDir, 'machine.json')
      const state = JSON.parse(await readFile(file, 'utf8')) as { relayUrl: string }
      await writeFile(file, JSON.stringify({ ...state, relayUrl: to.url }))
      machine = await startMachine({ dataDir, logLevel: 'silent' })
      await whenOnline()
    },
    stop: () => machine.close(),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
  opened = opening.move()
  return world
}
