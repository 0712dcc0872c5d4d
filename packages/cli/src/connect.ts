import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { Client, type RemoteMachine } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'
import { configFile, hasRelayInEnvironment } from './config.ts'
import { say } from './terminal.ts'

/** A machine to work on, and what has to be taken down afterwards. */
export interface Connected extends AsyncDisposable {
  readonly client: Client
  readonly machine: RemoteMachine
  /** Its daemon is of this process, and what it keeps is gone with it. */
  readonly isTemporary: boolean
}

/** Names of this machine when no relay is configured. */
const LOCAL_NAMES = ['local', 'localhost', '.']

/** The machine of the configured relay; this machine, through an embedded relay, where none is configured. */
export async function connectMachine(reference: string, signal: AbortSignal): Promise<Connected> {
  if (isRelayConfigured()) {
    await using opened = new AsyncDisposableStack()
    const client = opened.use(new Client())
    const machine = await client.machine(reference, { signal })
    const running = opened.move()
    return { client, machine, isTemporary: false, [Symbol.asyncDispose]: () => running.disposeAsync() }
  }
  if ([...LOCAL_NAMES, hostname()].includes(reference)) {
    await say('no relay is configured: working on this machine')
    const { embedded } = await import('./embedded.ts')
    const running = await embedded()
    const dispose = () => running[Symbol.asyncDispose]()
    const { client, machine } = running
    return { client, machine, isTemporary: true, [Symbol.asyncDispose]: dispose }
  }
  throw new CmdopError(
    'not_found',
    `No relay is configured, so the only machine is this one (local), not ${reference}. Set CMDOP_BASE_URL and CMDOP_TOKEN, or run: cmdop up.`,
  )
}

export function isRelayConfigured(): boolean {
  return hasRelayInEnvironment() || existsSync(configFile())
}
