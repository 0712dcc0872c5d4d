import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CmdopError } from '@cmdop/protocol'
import { z } from 'zod'

/** What an enrolled machine keeps, in `machine.json` (mode 0600) of its folder. */
export const MachineState = z.strictObject({
  version: z.literal(1),
  machineId: z.string(),
  /** In which it enrolled. Where it is now is the relay's to say, each time the daemon connects. */
  fleetId: z.string(),
  name: z.string(),
  /** Address of the relay, as enrolled. */
  relayUrl: z.string(),
  relayId: z.string(),
  /** Pinned: permits of no other key are taken. SPKI PEM. */
  relayPublicKey: z.string(),
  /** Made here, never sent. PKCS #8 PEM. */
  privateKey: z.string(),
  /** The key that will be used once the relay knows it. */
  nextPrivateKey: z.string().optional(),
})
export type MachineState = z.infer<typeof MachineState>

/** The file of the state. */
export const machineStateFile = (folder: string) => join(folder, 'machine.json')

/** The state in a folder; undefined when the machine is not enrolled there. Throws `config` when it cannot be read. */
export async function readMachineState(folder: string): Promise<MachineState | undefined> {
  try {
    return MachineState.parse(JSON.parse(await readFile(machineStateFile(folder), 'utf8')))
  } catch (cause) {
    if (typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw new CmdopError(
      'config',
      `${machineStateFile(folder)} cannot be read; enrol the machine again: cmdop machine enroll.`,
      {
        cause,
      },
    )
  }
}

/** Writes the state whole or not at all. */
export async function writeMachineState(folder: string, state: MachineState): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const temporary = `${machineStateFile(folder)}.new`
  await writeFile(temporary, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600, flush: true })
  await rename(temporary, machineStateFile(folder))
}
