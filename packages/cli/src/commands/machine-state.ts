import { Client } from '@cmdop/core'
import {
  ClearMessagesResponse,
  MachineEvent,
  MachineInfoResponse,
  MachineSpend,
  MessagesResponse,
} from '@cmdop/protocol'
import { exitCodes } from '../exit-codes.ts'
import { stateOf } from '../machine-table.ts'
import { parseCount } from '../numbers.ts'
import { wireNames, writeResource } from '../resource-json.ts'
import { printable, say, writeJson, writeStdout } from '../terminal.ts'
import { anyMachineId } from './machines.ts'

interface Flags {
  json?: boolean
}

/** `cmdop machines info`: measured now, where the machine is online. */
export async function machineInfoCommand(reference: string, flags: Flags, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  const info = await client.machines.info(await anyMachineId(client, reference, signal), { signal })
  if (flags.json === true) await writeResource(MachineInfoResponse, info)
  else {
    const lines: string[] = []
    for (const [part, values] of Object.entries(info)) {
      lines.push(part)
      for (const [name, value] of Object.entries(values)) lines.push(`  ${name.padEnd(22)} ${shown(value)}`)
    }
    await writeStdout(`${lines.map(printable).join('\n')}\n`)
  }
  return exitCodes.ok
}

/** `cmdop machines spend`: what the asks of a machine cost. */
export async function machineSpendCommand(
  reference: string,
  { window, json }: Flags & { window?: string },
  signal: AbortSignal,
): Promise<number> {
  await using client = new Client()
  const { id } = await client.machines.resolve(reference, { signal })
  const spend = await client.machines.spend(id, { ...(window === undefined ? {} : { window }), signal })
  if (json === true) await writeResource(MachineSpend, spend)
  else
    await writeStdout(
      `${spend.totalUsd.toFixed(4)} USD in ${spend.window}, ${spend.calls} calls, ${spend.tokensIn} tokens in, ${spend.tokensOut} out\n`,
    )
  return exitCodes.ok
}

/** `cmdop machines messages`: your latest conversation with its operator. */
export async function messagesCommand(
  reference: string,
  { limit, json }: Flags & { limit?: string },
  signal: AbortSignal,
): Promise<number> {
  await using client = new Client()
  const { id } = await client.machines.resolve(reference, { signal })
  const count = limit === undefined ? {} : { limit: parseCount('--limit', limit) }
  const answer = await client.machines.messages(id, { ...count, signal })
  if (json === true) await writeResource(MessagesResponse, answer)
  else await writeStdout(answer.messages.map(({ role, text }) => `${printable(`${role}: ${text}`)}\n`).join(''))
  return exitCodes.ok
}

/** `cmdop machines clear-messages`: forgets it. */
export async function clearMessagesCommand(reference: string, flags: Flags, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  const { id } = await client.machines.resolve(reference, { signal })
  const answer = await client.machines.clearMessages(id, { signal })
  if (flags.json === true) await writeResource(ClearMessagesResponse, answer)
  else await say(`${answer.deleted} messages are forgotten`)
  return exitCodes.ok
}

/** `cmdop machines active-session`: the id of that conversation; nothing when there is none. */
export async function activeSessionCommand(reference: string, flags: Flags, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  const { id } = await client.machines.resolve(reference, { signal })
  const sessionId = await client.machines.activeSession(id, { signal })
  if (flags.json === true) await writeJson({ session_id: sessionId })
  else if (sessionId !== '') await writeStdout(`${sessionId}\n`)
  return exitCodes.ok
}

/** `cmdop machines watch`: what becomes of machines, as it happens; with `--json` one JSON document a line. */
export async function watchMachinesCommand(flags: Flags, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  try {
    for await (const { id, ...event } of client.machines.watch({ signal })) {
      if (flags.json === true) await writeStdout(`${JSON.stringify({ id, ...named(event) })}\n`)
      else if (event.type === 'change')
        await writeStdout(`${printable(`${event.at}  ${event.change.padEnd(11)}  ${event.machine.name}`)}\n`)
      else
        for (const machine of event.machines)
          await writeStdout(`${printable(`${event.at}  ${stateOf(machine).padEnd(11)}  ${machine.name}`)}\n`)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  return exitCodes.ok
}

function named(event: Parameters<typeof wireNames<typeof MachineEvent>>[1]): object {
  return wireNames(MachineEvent, event) as object
}

function shown(value: unknown): string {
  if (value === null) return '-'
  return typeof value === 'number' && !Number.isInteger(value) ? value.toFixed(2) : String(value)
}
