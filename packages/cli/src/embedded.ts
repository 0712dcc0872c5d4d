import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RemoteMachine } from '@cmdop/core'
import type { ResidentSettings } from '@cmdop/machine'
import type { AgentDefaults } from './agent-namespace.ts'
import { Client } from './client.ts'
import { startLocalSystem } from './local-system.ts'

export interface EmbeddedOptions {
  /** Folder that keeps the state between starts. Default: a throw-away one. */
  data?: string
  /** Of the relay's and the machine's log, on stderr. Default `silent`. */
  logLevel?: 'silent' | 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace'
  /** Of every run of `client.agent`. */
  agent?: AgentDefaults
  /** Of the operator that lives on this machine, for `client.machines.ask`. Default: the model of the environment. */
  operator?: ResidentSettings
}

/** A relay and this machine in this process, and a client with an owner's rights. */
export interface Embedded extends AsyncDisposable {
  readonly client: Client
  readonly machine: RemoteMachine
}

/**
 * Starts a relay on a free port of loopback and a daemon for this machine, both in this process, for scripts and tests
 * on one machine. Dispose it: that ends every command, then the machine, the relay and a throw-away folder.
 */
export async function embedded(options: EmbeddedOptions = {}): Promise<Embedded> {
  await using opened = new AsyncDisposableStack()
  const dataDir = options.data ?? join(await temporaryFolder(opened), 'cmdop')
  const system = opened.use(
    await startLocalSystem({
      dataDir,
      relay: { port: 0, drainMs: 0 },
      logLevel: options.logLevel ?? 'silent',
      ...(options.operator === undefined ? {} : { operator: options.operator }),
    }),
  )
  const agent = options.agent === undefined ? {} : { agent: options.agent }
  const client = opened.use(new Client({ baseUrl: system.relay.url, token: system.key, ...agent }))
  const machine = await client.machine(system.machine.state.machineId)
  const running = opened.move()
  return { client, machine, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

async function temporaryFolder(opened: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cmdop-'))
  opened.defer(() => rm(folder, { recursive: true, force: true }))
  return folder
}
