import { hostname } from 'node:os'
import { join } from 'node:path'
import type { MachineCapabilities, RestrictionCapability } from '@cmdop/protocol'
import { defaultDataDir } from '../config.ts'
import { connectMachine } from '../connect.ts'
import { exitCodes } from '../exit-codes.ts'
import { printable, writeJson, writeStdout } from '../terminal.ts'

export interface DoctorFlags {
  data?: string
  json?: boolean
}

/** `cmdop machine doctor [<machine>]`: which restrictions a machine can hold, found out by doing; this machine unless named. */
export async function doctorCommand(
  reference: string | undefined,
  flags: DoctorFlags,
  signal: AbortSignal,
): Promise<number> {
  const { name, capabilities } =
    reference === undefined ? await ofThisMachine(flags) : await ofMachine(reference, signal)
  if (flags.json === true) await writeJson({ machine: name, ...capabilities })
  else await writeStdout(printable(describeCapabilities(name, capabilities)))
  return exitCodes.ok
}

interface Examined {
  readonly name: string
  readonly capabilities: MachineCapabilities
}

/** Without its daemon, which may not be there yet, or not start. */
async function ofThisMachine({ data }: DoctorFlags): Promise<Examined> {
  const { readCapabilities } = await import('@cmdop/machine')
  const dataDir = data ?? join(defaultDataDir(), 'machine')
  return { name: hostname(), capabilities: await readCapabilities({ dataDir }) }
}

async function ofMachine(reference: string, signal: AbortSignal): Promise<Examined> {
  await using connected = await connectMachine(reference, signal)
  const { machine } = connected
  return { name: machine.name, capabilities: await machine.capabilities({ signal }) }
}

/** What a machine can hold, for people: a line a restriction, below it what stays open, or what is missing and helps. */
export function describeCapabilities(
  name: string,
  { system, landlock, restrictions, hints }: MachineCapabilities,
): string {
  const entries = Object.entries(restrictions)
  const width = Math.max(0, ...entries.map(([restriction]) => restriction.length))
  return [
    `${name}: ${system}, ${landlock === 0 ? 'no Landlock' : `Landlock ${landlock}`}`,
    ...entries.flatMap(([restriction, capability]) => [
      `  ${restriction.padEnd(width)}  ${verdict(capability)}`,
      ...remarks(capability).map((remark) => `  ${' '.repeat(width)}  - ${remark}`),
    ]),
    ...hints.map((hint) => `  hint: ${hint}`),
    '',
  ].join('\n')
}

function verdict({ ok, tier }: RestrictionCapability): string {
  if (!ok) return 'cannot be held'
  return tier === undefined ? 'held' : `held by ${tier}`
}

function remarks({ ok, limits, missing, step, errno, fix }: RestrictionCapability): string[] {
  if (ok) return [...limits]
  const failed = [step, errno].filter((part) => part !== undefined).join(': ')
  return [
    `missing: ${missing ?? 'not known'}${failed === '' ? '' : ` (${failed})`}`,
    ...(fix === undefined ? [] : [`what helps: ${fix}`]),
  ]
}
