import { Client, type FleetSession } from '@cmdop/core'
import { toWireError } from '@cmdop/protocol'
import { connectMachine } from '../connect.ts'
import { exitCodes } from '../exit-codes.ts'
import { namesOf } from '../restriction-options.ts'
import { formatTable, say, writeJson, writeStdout } from '../terminal.ts'

export interface SessionsFlags {
  machine?: string
  ended?: boolean
  json?: boolean
}

/** `cmdop sessions`: what runs, on one machine or on all that are online. */
export async function sessionsCommand(flags: SessionsFlags, signal: AbortSignal): Promise<number> {
  const { items, failed } = await list(flags, signal)
  if (flags.json === true) {
    await writeJson({
      items,
      failed: failed.map(({ error, ...machine }) => ({ ...machine, error: toWireError(error) })),
    })
    return exitCodes.ok
  }
  await writeStdout(
    formatTable(
      ['SESSION', 'MACHINE', 'NAME', 'KIND', 'STATE', 'BY', 'KEYBOARD', 'SINCE', 'RESTRICTIONS'],
      items.map(row),
    ),
  )
  for (const { machineName, error } of failed) await say(`cmdop: ${machineName} did not answer: ${error.message}`)
  return exitCodes.ok
}

async function list({ machine: name, ended = false }: SessionsFlags, signal: AbortSignal) {
  if (name === undefined) {
    await using client = new Client()
    return await client.sessions.list({ ended, signal })
  }
  await using connected = await connectMachine(name, signal)
  const { machine } = connected
  const sessions = await machine.sessions.list({ ended, signal })
  return {
    items: sessions.map((session) => ({ ...session, machineId: machine.id, machineName: machine.name })),
    failed: [],
  }
}

function row(session: FleetSession): string[] {
  const { sessionId, machineName, name, kind, state, createdBy, lease, createdAt, restrictions } = session
  return [
    sessionId,
    machineName,
    name,
    kind,
    state,
    createdBy.name,
    lease?.name ?? '-',
    createdAt,
    namesOf(restrictions),
  ]
}
