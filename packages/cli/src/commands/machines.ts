import { Client, type MachineDetail } from '@cmdop/core'
import { CmdopError, MachineDetail as DetailSchema, MachineSummary, parseLabelChanges } from '@cmdop/protocol'
import { exitCodes } from '../exit-codes.ts'
import { shownLabels, stateOf, writeMachines } from '../machine-table.ts'
import { parseDuration } from '../numbers.ts'
import { writeResource } from '../resource-json.ts'
import { printable, say, writeJson, writeStdout } from '../terminal.ts'

interface Flags {
  json?: boolean
}

export interface MachinesFlags extends Flags {
  presence?: 'any' | 'online' | 'suspect' | 'offline'
  q?: string
  disabled?: boolean
}

/** `cmdop machines`, `cmdop machines list`: the machines of the fleet. */
export async function machinesCommand(flags: MachinesFlags, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  const { presence = 'any', q, disabled = false } = flags
  const machines = await Array.fromAsync(client.machines.iter({ presence, q, disabled, signal }))
  if (flags.json === true) await writeResource(MachineSummary, { items: machines })
  else await writeMachines(machines)
  return exitCodes.ok
}

/** `cmdop machines get`: all that is known of one, disabled or not. */
export async function getMachineCommand(reference: string, flags: Flags, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  const machine = await client.machines.get(await anyMachineId(client, reference, signal), { signal })
  if (flags.json === true) await writeResource(DetailSchema, machine)
  else await writeStdout(described(machine))
  return exitCodes.ok
}

/** `cmdop machines update`: another name. */
export async function updateMachineCommand(
  reference: string,
  { name, json }: Flags & { name: string },
  signal: AbortSignal,
): Promise<number> {
  await using client = new Client()
  const { id } = await client.machines.resolve(reference, { signal })
  const machine = await client.machines.update(id, { name }, { signal })
  if (json === true) await writeResource(MachineSummary, machine)
  else await say(`${reference} is called ${machine.name} from now on`)
  return exitCodes.ok
}

/** `cmdop machines labels`, or with changes `cmdop machines label`: `role=web` sets, `role-` removes. */
export async function labelCommand(
  reference: string,
  changes: readonly string[],
  { json, signal }: Flags & { signal: AbortSignal },
): Promise<number> {
  await using client = new Client()
  const { id, name } = await client.machines.resolve(reference, { signal })
  const labels = await client.machines.labels(id, changes.length === 0 ? undefined : parseLabelChanges(changes), {
    signal,
  })
  if (json === true) await writeJson(labels)
  else if (changes.length === 0) await writeStdout(`${shownLabels(labels)}\n`)
  else await say(`${name}: ${shownLabels(labels)}`)
  return exitCodes.ok
}

/** `cmdop machines disable`: what runs there ends, and it may not connect. */
export async function disableMachineCommand(reference: string, flags: Flags, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  const id = await anyMachineId(client, reference, signal)
  await client.machines.disable(id, { signal })
  if (flags.json === true) await writeJson({ id, disabled: true })
  else await say(`${reference} is disabled: what ran there has ended; to undo it: cmdop machines enable ${id}`)
  return exitCodes.ok
}

/** `cmdop machines enable`: it may connect again. */
export async function enableMachineCommand(reference: string, flags: Flags, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  const machine = await client.machines.enable(await anyMachineId(client, reference, signal), { signal })
  if (flags.json === true) await writeResource(MachineSummary, machine)
  else await say(`${machine.name} is enabled; its daemon connects again within a minute`)
  return exitCodes.ok
}

/** `cmdop machines release`: after the copy of the machine was stopped. */
export async function releaseCommand(reference: string, flags: Flags, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  const { id } = await client.machines.resolve(reference, { signal })
  const machine = await client.machines.release(id, { signal })
  if (flags.json === true) await writeResource(MachineSummary, machine)
  else await say(`${machine.name} is released; its daemon connects again within a minute`)
  return exitCodes.ok
}

/** `cmdop machines ping`: asks daemons for a sign of life now. */
export async function pingCommand(
  references: readonly string[],
  { timeout, json, signal }: Flags & { timeout?: string; signal: AbortSignal },
): Promise<number> {
  await using client = new Client()
  const machines = await Promise.all(references.map((reference) => client.machines.resolve(reference, { signal })))
  const times = await client.machines.ping(
    machines.map(({ id }) => id),
    { ...(timeout === undefined ? {} : { timeoutMs: parseDuration(timeout) }), signal },
  )
  const answers = machines.map(({ id, name }) => ({ id, name, ms: times.get(id) ?? null }))
  if (json === true) await writeJson({ items: answers.map(({ id, ms }) => ({ machine_id: id, round_trip_ms: ms })) })
  else {
    const width = Math.max(...answers.map(({ name }) => name.length))
    const lines = answers.map(
      ({ name, ms }) => `${printable(name).padEnd(width)}  ${ms === null ? 'no answer' : `${ms.toFixed(1)} ms`}\n`,
    )
    await writeStdout(lines.join(''))
  }
  return answers.every(({ ms }) => ms !== null) ? exitCodes.ok : exitCodes.failed
}

/** A machine by what people call it, also one that is disabled, which no reference finds. */
export async function anyMachineId(client: Client, reference: string, signal: AbortSignal): Promise<string> {
  try {
    return (await client.machines.resolve(reference, { signal })).id
  } catch (error) {
    if (!(error instanceof CmdopError) || error.code !== 'not_found') throw error
    for await (const { id, name, hostname } of client.machines.iter({ disabled: true, signal }))
      if ([id, name, hostname].includes(reference)) return id
    throw error
  }
}

function described(machine: MachineDetail): string {
  const { specs, liveMetrics } = machine
  const lines: [string, string | number | boolean | null | undefined][] = [
    ['name', machine.name],
    ['id', machine.id],
    ['state', stateOf(machine)],
    ['last seen', machine.lastSeenAt ?? 'never'],
    ['hostname', machine.hostname],
    ['system', `${machine.osVersion ?? machine.os} (${machine.architecture})`],
    ['kernel', machine.kernelVersion],
    ['daemon', machine.agentVersion],
    ['runs as', machine.username],
    ['processor', specs === null ? null : `${specs.cpuCount ?? '?'} x ${specs.cpuModel ?? '?'}`],
    ['memory', specs?.totalRamBytes == null ? null : `${(specs.totalRamBytes / 1e9).toFixed(1)} GB`],
    ['labels', shownLabels(machine.labels)],
    ['fleets', machine.fleets.map(({ slug }) => slug).join(', ')],
    ['key', `${machine.publicKeyFingerprint} (${machine.publicKeyStatus})`],
    ['enrolled', machine.createdAt],
    ['measured', liveMetrics?.recordedAt ?? 'never; see: cmdop machines info'],
  ]
  return lines.map(([what, value]) => `${what.padEnd(10)} ${value ?? '-'}\n`).join('')
}
