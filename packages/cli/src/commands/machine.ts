import { join } from 'node:path'
import { Client } from '@cmdop/core'
import { enrollMachine, readMachineState, rotateMachineKey, setMachinePin, startMachine } from '@cmdop/machine'
import { CmdopError, parseLabels, EnrollmentTokenIssued } from '@cmdop/protocol'
import { defaultDataDir, enrollmentToken } from '../config.ts'
import { parseCount, parseSpan } from '../numbers.ts'
import { exitCodes } from '../exit-codes.ts'
import { interrupted } from '../interrupt.ts'
import { askForSecret } from '../prompt.ts'
import { writeResource } from '../resource-json.ts'
import { say, writeJson, writeStdout } from '../terminal.ts'

interface DataFlags {
  data?: string
  json?: boolean
}

export interface EnrollFlags extends DataFlags {
  relay: string
  token?: string
  name?: string
  label?: string[]
  insecure?: boolean
}

export interface MachineRunFlags extends DataFlags {
  label?: string[]
  logLevel?: 'silent' | 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace'
}

export interface TokenFlags {
  uses?: string
  expires?: string
  label?: string[]
  json?: boolean
}

const labelsOf = ({ label }: { label?: string[] }) => (label === undefined ? {} : { labels: parseLabels(label) })

const folderOf = (flags: DataFlags) => flags.data ?? join(defaultDataDir(), 'machine')

/** `cmdop machine enroll`: makes this machine's key and joins a fleet. */
export async function enrollCommand(flags: EnrollFlags): Promise<number> {
  const { relay: relayUrl, name, insecure: allowInsecure = false } = flags
  const token = flags.token ?? enrollmentToken()
  const state = await enrollMachine({
    relayUrl,
    token,
    dataDir: folderOf(flags),
    allowInsecure,
    ...(name === undefined ? {} : { name }),
    ...labelsOf(flags),
  })
  const { machineId, fleetId } = state
  if (flags.json === true)
    await writeJson({ machine_id: machineId, name: state.name, fleet_id: fleetId, data: folderOf(flags) })
  else
    await say(
      `enrolled as ${state.name} (${machineId}); start the daemon with: cmdop machine run --data ${folderOf(flags)}`,
    )
  return exitCodes.ok
}

/** `cmdop machine run`: the daemon, until ^C or SIGTERM. */
export async function machineRunCommand(flags: MachineRunFlags, signal: AbortSignal): Promise<number> {
  await using machine = await startMachine({
    dataDir: folderOf(flags),
    ...(flags.logLevel === undefined ? {} : { logLevel: flags.logLevel }),
    ...labelsOf(flags),
  })
  const { machineId, name, relayUrl } = machine.state
  if (flags.json === true) await writeJson({ machine_id: machineId, name, relay: relayUrl })
  await interrupted(signal)
  return exitCodes.ok
}

/** `cmdop machine token`: a one-time token for `cmdop machine enroll`. */
export async function tokenCommand(flags: TokenFlags): Promise<number> {
  await using client = new Client()
  const token = await client.enrollmentTokens.issue({
    ...(flags.uses === undefined ? {} : { maxUses: parseCount('--uses', flags.uses) }),
    ...(flags.expires === undefined ? {} : { expiresInSeconds: Math.ceil(parseSpan(flags.expires) / 1000) }),
    ...labelsOf(flags),
  })
  if (flags.json === true) await writeResource(EnrollmentTokenIssued, token)
  else await writeStdout(`cmdop machine enroll --relay ${client.baseUrl} --token ${token.rawToken}\n`)
  return exitCodes.ok
}

/** `cmdop machine rotate-key`: another key for this machine; doing it again ends what was interrupted. */
export async function rotateKeyCommand(flags: DataFlags, signal: AbortSignal): Promise<number> {
  const fingerprint = await rotateMachineKey(folderOf(flags), signal)
  if (flags.json === true) await writeJson({ public_key_fingerprint: fingerprint })
  else await say(`the machine has another key: ${fingerprint}`)
  return exitCodes.ok
}

/** `cmdop machine pin set`: whoever asks the operator of this machine has to know it. Typed unseen, or a line of standard input. */
export async function setPinCommand(flags: DataFlags, signal: AbortSignal): Promise<number> {
  const dataDir = await enrolledFolder(flags)
  const pin = await askForSecret('PIN: ', signal)
  if (process.stdin.isTTY && (await askForSecret('The same again: ', signal)) !== pin)
    throw new CmdopError('validation', 'The two are not the same; no PIN was set. Try again.')
  await setMachinePin(dataDir, pin)
  await say('the PIN is set; who asks the operator of this machine has to know it from now on')
  return exitCodes.ok
}

/** `cmdop machine pin remove`: nobody has to know one any more. */
export async function removePinCommand(flags: DataFlags): Promise<number> {
  await setMachinePin(await enrolledFolder(flags), undefined)
  await say('the machine has no PIN any more')
  return exitCodes.ok
}

/** The folder of the daemon; a PIN elsewhere would guard nothing. */
async function enrolledFolder(flags: DataFlags): Promise<string> {
  const folder = folderOf(flags)
  if ((await readMachineState(folder)) !== undefined) return folder
  throw new CmdopError('config', `Expected ${folder} to be of an enrolled machine; name its folder with --data.`)
}
