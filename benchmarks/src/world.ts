import { join } from 'node:path'
import { Client, type RemoteMachine } from '@cmdop/core'
import { Child } from './processes/child.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** Relay and machine in processes of their own, and a client in this one. */
export interface World extends AsyncDisposable {
  readonly client: Client
  readonly machine: RemoteMachine
}

/** A relay in a process of its own, with its address and its owner's key. */
export interface RelayChild {
  readonly child: Child
  readonly url: string
  readonly key: string
}

/** Starts the relay on a data folder. */
export async function startRelayProcess(dataDir: string, options: { openFiles?: number } = {}): Promise<RelayChild> {
  const start = { entry: 'relay-process.ts', arguments: [dataDir], nodeOptions: ['--expose-gc'], ...options }
  const { child, ready } = await Child.start(start)
  return { child, url: String(ready['url']), key: String(ready['key']) }
}

/** Starts everything, and runs a first command so that all of it is connected. */
export async function startWorld(): Promise<World> {
  await using opened = new AsyncDisposableStack()
  const folder = opened.use(await temporaryFolder())
  const relay = await startRelayProcess(join(folder.path, 'relay'))
  opened.use(relay.child)
  const client = opened.use(new Client({ baseUrl: relay.url, token: relay.key }))
  const { rawToken } = await client.enrollmentTokens.issue()
  const { child } = await Child.start({
    entry: 'machine-process.ts',
    arguments: [join(folder.path, 'machine'), relay.url, rawToken],
  })
  opened.use(child)
  const machine = await client.machine('bench')
  await machine.exec(['true'])
  const running = opened.move()
  return { client, machine, [Symbol.asyncDispose]: () => running.disposeAsync() }
}
