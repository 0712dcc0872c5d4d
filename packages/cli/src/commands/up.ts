import { Client } from '@cmdop/core'
import type { Relay } from '@cmdop/relay'
import { defaultDataDir, writeConfigFile } from '../config.ts'
import { exitCodes } from '../exit-codes.ts'
import { interrupted, interruptSignal } from '../interrupt.ts'
import { startLocalSystem } from '../local-system.ts'
import { say, writeJson } from '../terminal.ts'
import { type RelayFlags, relayConfig, sayRelay } from './relay.ts'

export interface UpFlags extends RelayFlags {
  name?: string
}

/** `cmdop up`: a relay and this machine, until ^C or SIGTERM; the key is kept for later commands. */
export async function upCommand(flags: UpFlags): Promise<number> {
  const signal = interruptSignal()
  await using system = await startLocalSystem({
    dataDir: flags.data ?? defaultDataDir(),
    relay: await relayConfig(flags),
    ...(flags.name === undefined ? {} : { machineName: flags.name }),
    logLevel: flags.logLevel ?? 'warn',
    knownKey: (relay) => (flags.newOwnerKey === true ? Promise.resolve(undefined) : configuredKey(relay)),
  })
  const { relay, machine, key, isNewKey } = system
  const shownKey = isNewKey ? key : undefined
  if (isNewKey) await keepKey(relay.url, key)
  if (flags.json === true)
    await writeJson({ url: relay.url, machine: machine.state.name, ...(isNewKey ? { key } : {}) })
  else {
    await sayRelay(relay.url, shownKey)
    await say(`machine: ${machine.state.name} (${machine.state.machineId})`)
    await say(`try: cmdop exec ${machine.state.name} -- uptime`)
  }
  await interrupted(signal)
  return exitCodes.ok
}

/** The key that the config file (or the environment) holds for this relay, if it still is good. */
async function configuredKey(relay: Relay): Promise<string | undefined> {
  try {
    await using client = new Client({ baseUrl: relay.url })
    await client.me()
    return client.token
  } catch {
    return undefined
  }
}

async function keepKey(baseUrl: string, token: string): Promise<void> {
  await say(`the key is kept in ${await writeConfigFile({ baseUrl, token })}`)
}
