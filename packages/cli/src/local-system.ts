import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  enrollMachine,
  readMachineState,
  type ResidentSettings,
  type RunningMachine,
  startMachine,
} from '@cmdop/machine'
import { type Relay, startRelay } from '@cmdop/relay'
import { CmdopError } from '@cmdop/protocol'
import { Client } from '@cmdop/core'
import { writeSecret } from './config.ts'

/** Milliseconds in which a daemon in this process must be connected to a relay in this process. */
const CONNECT_WITHIN_MS = 10_000

type RelayConfig = Parameters<typeof startRelay>[0]

export interface LocalSystemOptions {
  /** Holds `relay/` and `machine/`. */
  readonly dataDir: string
  readonly relay: Omit<RelayConfig, 'dataDir'>
  /** Of this machine in its fleet. Default: the hostname. */
  readonly machineName?: string
  /** The AI operator that lives on this machine. */
  readonly operator?: ResidentSettings
  readonly logLevel: NonNullable<RelayConfig['logLevel']>
  /** Make another owner key, if the kept one is lost or revoked. */
  readonly newKey?: boolean
}

/** A relay and a machine in this process. */
export interface LocalSystem extends AsyncDisposable {
  readonly relay: Relay
  readonly machine: RunningMachine
  readonly key: string
  /** True when the key was made by this start. */
  readonly isNewKey: boolean
}

/**
 * Starts a relay and, joined to it, this machine; enrols it the first time. The owner key is kept in `owner-key` (mode
 * 0600) beside the relay's data, which is worth as much. Everything is taken
 * down in reverse.
 */
export async function startLocalSystem(options: LocalSystemOptions): Promise<LocalSystem> {
  const { dataDir, logLevel } = options
  await using opened = new AsyncDisposableStack()
  const relay = opened.use(await startRelay({ ...options.relay, logLevel, dataDir: join(dataDir, 'relay') }))
  const keyFile = join(dataDir, 'owner-key')
  const known = options.newKey === true ? undefined : await readFile(keyFile, 'utf8').catch(() => undefined)
  const key = relay.firstKey ?? known ?? (await relay.issueOwnerKey('local owner key'))
  if (key !== known) await writeSecret(keyFile, key)
  const machineDir = join(dataDir, 'machine')
  if ((await readMachineState(machineDir)) === undefined) await enroll(relay, key, { ...options, dataDir: machineDir })
  // Whoever reads the relay's folder or the key decides on effects.
  const hidden = [dataDir]
  // What is restricted runs skills, too, and so has to see them.
  const skillsDir = `${dataDir.replace(/\/+$/, '')}-skills`
  const operator = options.operator === undefined ? {} : { operator: options.operator }
  const machine = opened.use(
    await startMachine({ dataDir: machineDir, skillsDir, relayUrl: relay.url, hidden, logLevel, ...operator }),
  )
  if (!(await relay.waitForMachine(machine.state.machineId, CONNECT_WITHIN_MS))) {
    throw new CmdopError(
      'unavailable',
      `The machine of ${machineDir} did not connect to ${relay.url}; its log says why.`,
    )
  }
  const running = opened.move()
  return { relay, machine, key, isNewKey: key !== known, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

async function enroll(relay: Relay, key: string, options: { dataDir: string; machineName?: string }): Promise<void> {
  await using client = new Client({ baseUrl: relay.url, token: key })
  const token = await client.enrollmentTokens.issue()
  const name = options.machineName === undefined ? {} : { name: options.machineName }
  await enrollMachine({ relayUrl: relay.url, token: token.rawToken, dataDir: options.dataDir, ...name })
}
