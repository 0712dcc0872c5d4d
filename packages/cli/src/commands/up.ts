import { configFile, defaultDataDir, writeConfigFile } from '../config.ts'
import { exitCodes } from '../exit-codes.ts'
import { interrupted } from '../interrupt.ts'
import { type LocalSystem, startLocalSystem } from '../local-system.ts'
import { say, writeJson } from '../terminal.ts'
import { type RelayFlags, relayConfig, sayRelay } from './relay.ts'

export interface UpFlags extends RelayFlags {
  name?: string
}

/** `cmdop up`: a relay and this machine, until ^C or SIGTERM; the key is kept for later commands. */
export async function upCommand(flags: UpFlags, signal: AbortSignal): Promise<number> {
  await using system = await startLocalSystem({
    dataDir: flags.data ?? defaultDataDir(),
    relay: await relayConfig(flags),
    ...(flags.name === undefined ? {} : { machineName: flags.name }),
    logLevel: flags.logLevel ?? 'warn',
    newKey: flags.newOwnerKey === true,
  })
  const { relay, machine, key, isNewKey } = system
  const isKept = await writeConfigFile({ baseUrl: relay.url, token: key })
  if (flags.json === true)
    await writeJson({ url: relay.url, machine: machine.state.name, ...(isNewKey ? { key } : {}) })
  else await sayUp(system, isKept)
  await interrupted(signal)
  return exitCodes.ok
}

async function sayUp({ relay, machine, key, isNewKey }: LocalSystem, isKept: boolean): Promise<void> {
  const { name, machineId } = machine.state
  await sayRelay(relay.url, isNewKey ? key : undefined)
  await say(`machine: ${name} (${machineId})`)
  if (isKept) await say(`address and key are kept in ${configFile()}; try: cmdop exec ${name} -- uptime`)
  else
    await say(
      `${configFile()} holds another relay and stays as it is; for this one set CMDOP_BASE_URL=${relay.url} and CMDOP_TOKEN`,
    )
}
