import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, type ClientOptions, type RemoteMachine } from '@cmdop/core'
import { enrollMachine, type ResidentSettings, startMachine } from '@cmdop/machine'
import { openSqliteStore, type Relay, type RelayPorts, startRelay, type Store } from '@cmdop/relay'
import { writeEmptyDatabase } from '../packages/relay/src/store/sqlite/empty-database.ts'
import { type Child, startChild } from './processes/child.ts'
import { waitFor } from './wait-for.ts'

export interface WorldOptions {
  /** Enrolled and connected machines. Default 1. */
  machines?: number
  /** Relay and machines as processes of their own, which can be killed. Default: in this process. */
  separateProcesses?: boolean
  /** Of the client. */
  client?: Omit<ClientOptions, 'token' | 'baseUrl'>
  /** Of the relay, beside its folder. */
  relay?: Partial<Parameters<typeof startRelay>[0]>
  /** Of the operators that live on the machines. */
  operator?: ResidentSettings
  /** Of a relay in this process. */
  ports?: RelayPorts
}

/** The relay of a world. What only a process can do throws in a world of one process. */
export interface WorldRelay {
  readonly url: string
  readonly relayId: string
  readonly dataDir: string
  readonly firstKey: string
  readonly pid: number
  readonly stderr: string
  /** In this process only. */
  readonly inProcess: Relay
  close(): Promise<void>
  kill(): Promise<void>
  signal(signal: NodeJS.Signals): void
  /** Starts it again on the same port and folder. */
  restart(): Promise<void>
}

/** A daemon of a world. */
export interface WorldMachine {
  readonly id: string
  readonly name: string
  readonly dataDir: string
  readonly pid: number
  close(): Promise<void>
  kill(): Promise<void>
  signal(signal: NodeJS.Signals): void
  /** Starts it again on the same folder. */
  restart(): Promise<void>
}

/** A real relay, real machines and a real client on free ports and temporary folders; gone with its scope. */
export interface World extends AsyncDisposable {
  readonly relay: WorldRelay
  readonly machines: readonly WorldMachine[]
  /** The first one. */
  readonly machine: WorldMachine
  /** With the owner's key. */
  readonly client: Client
  /** The client's handle of the first machine. */
  readonly handle: RemoteMachine
  /** Another client, closed with the world; the owner's unless it has a key. */
  connect(options?: ClientOptions): Client
  /** A new temporary folder, gone with the world. */
  folder(): Promise<string>
  /** Another machine; `relayUrl` where it goes another way to the relay. */
  addMachine(name: string, relayUrl?: string): Promise<WorldMachine>
  /** Until the relay sees the machine as `online`. */
  whenOnline(machine: WorldMachine): Promise<void>
  /** The relay's store, opened a second time; closed with the world. */
  openStore(): Promise<Store>
}

/** Starts a world. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  await using opening = new AsyncDisposableStack()
  const folder = async () => {
    const path = await mkdtemp(join(tmpdir(), 'cmdop-test-'))
    opened.defer(() => rm(path, { recursive: true, force: true }))
    // Of a machine with that folder.
    opened.defer(() => rm(`${path}-skills`, { recursive: true, force: true }))
    return path
  }
  let opened: AsyncDisposableStack = opening
  const relay = await startWorldRelay(await folder(), options)
  opened.defer(() => relay.close())
  const connect = (given: ClientOptions = {}) => {
    const { url: baseUrl, firstKey: token } = relay
    const client = new Client({ baseUrl, token, timeoutMs: 10_000, ...options.client, ...given })
    opened.use(client)
    return client
  }
  const client = connect()
  const whenOnline = async (machine: WorldMachine) => {
    await waitFor(
      `${machine.name} is online`,
      async () => (await client.machines.get(machine.id)).presence === 'online',
      20_000,
    )
  }
  const addMachine = async (name: string, relayUrl = relay.url) => {
    const machine = await startWorldMachine({ name, relayUrl, client, dataDir: await folder(), options })
    opened.defer(() => machine.close())
    await whenOnline(machine)
    return machine
  }
  const machines: WorldMachine[] = []
  for (let count = 0; count < (options.machines ?? 1); count += 1) machines.push(await addMachine(`machine-${count}`))
  const [machine] = machines as [WorldMachine]
  const handle = machines.length === 0 ? undefined : await client.machine(machine.id)
  const world: World = {
    relay,
    machines,
    machine,
    client,
    handle: handle as RemoteMachine,
    connect,
    folder,
    addMachine,
    whenOnline,
    openStore: async () => opened.use(await openSqliteStore({ file: join(relay.dataDir, 'relay.sqlite') })),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
  opened = opening.move()
  return world
}

async function startWorldRelay(dataDir: string, options: WorldOptions): Promise<WorldRelay> {
  const settings = { dataDir, port: 0, logLevel: 'silent' as const, ...options.relay }
  await writeEmptyDatabase(join(dataDir, 'relay.sqlite'))
  return options.separateProcesses === true ? relayProcess(settings) : relayHere(settings, options.ports)
}

type RelaySettings = Parameters<typeof startRelay>[0]

async function relayHere(settings: RelaySettings, ports: RelayPorts = {}): Promise<WorldRelay> {
  let relay = await startRelay(settings, ports)
  const { url, relayId, firstKey = '' } = relay
  return {
    url,
    relayId,
    dataDir: settings.dataDir,
    firstKey,
    pid: process.pid,
    stderr: '',
    get inProcess() {
      return relay
    },
    close: () => relay.close(),
    kill: notAProcess,
    signal: notAProcess,
    restart: async () => {
      await relay.close()
      relay = await startRelay({ ...settings, port: Number(new URL(url).port) }, ports)
    },
  }
}

async function relayProcess(settings: RelaySettings): Promise<WorldRelay> {
  const start = (port?: number) =>
    startChild<{ url: string; relayId: string; firstKey: string | null }>('./relay-process.ts', {
      ...settings,
      ...(port === undefined ? {} : { port }),
    })
  let child = await start()
  const { url, relayId, firstKey } = child.ready
  return {
    url,
    relayId,
    dataDir: settings.dataDir,
    firstKey: firstKey ?? '',
    get pid() {
      return child.pid
    },
    get stderr() {
      return child.stderr
    },
    get inProcess(): Relay {
      return notAProcess()
    },
    close: () => child.end('SIGTERM'),
    kill: () => child.end('SIGKILL'),
    signal: (signal) => child.signal(signal),
    restart: async () => {
      await child.end()
      child = await start(Number(new URL(url).port))
    },
  }
}

async function startWorldMachine(given: {
  name: string
  relayUrl: string
  client: Client
  dataDir: string
  options: WorldOptions
}): Promise<WorldMachine> {
  const { name, relayUrl, client, dataDir } = given
  const { rawToken: token } = await client.enrollmentTokens.issue()
  const { machineId: id } = await enrollMachine({ relayUrl, token, dataDir, name })
  const { operator } = given.options
  const settings = { dataDir, logLevel: 'silent' as const, ...(operator === undefined ? {} : { operator }) }
  if (given.options.separateProcesses === true) {
    const start = () => startChild('./machine-process.ts', settings)
    let child: Child<unknown> = await start()
    return {
      id,
      name,
      dataDir,
      get pid() {
        return child.pid
      },
      close: () => child.end('SIGTERM'),
      kill: () => child.end('SIGKILL'),
      signal: (signal) => child.signal(signal),
      restart: async () => {
        await child.end()
        child = await start()
      },
    }
  }
  let machine = await startMachine(settings)
  return {
    id,
    name,
    dataDir,
    pid: process.pid,
    close: () => machine.close(),
    kill: notAProcess,
    signal: notAProcess,
    restart: async () => {
      await machine.close()
      machine = await startMachine(settings)
    },
  }
}

function notAProcess(): never {
  throw new Error('Only a world of separate processes can do this.')
}
