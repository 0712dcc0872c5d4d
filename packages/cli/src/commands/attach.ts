import { Client, type FleetSession, type Session } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'
import { connectMachine } from '../connect.ts'
import { execExitCodeOf } from '../exit-codes.ts'
import { interact } from '../interactive/interact.ts'
import { localSize } from '../interactive/local-terminal.ts'
import { reportError } from '../terminal.ts'

export interface AttachFlags {
  machine?: string
  observe?: boolean
  take?: boolean
}

/** `cmdop attach <session>`: joins a session that runs, in this terminal. Leaving it leaves it running. */
export async function attachCommand(reference: string, flags: AttachFlags, signal: AbortSignal): Promise<number> {
  try {
    if (flags.observe === true && flags.take === true)
      throw new CmdopError('config', 'Expected --observe or --take, not both: an observer does not type.')
    await using opened = new AsyncDisposableStack()
    const session = await findSession(reference, { machine: flags.machine, opened, signal })
    const lease = flags.take === true ? 'take' : 'auto'
    await using attachment =
      flags.observe === true ? await session.observe() : await session.attach({ size: localSize(), lease })
    return await interact(attachment, signal)
  } catch (error) {
    return execExitCodeOf((await reportError(error, false)).code)
  }
}

interface Search {
  readonly machine: string | undefined
  readonly opened: AsyncDisposableStack
  readonly signal: AbortSignal
}

/** By id, name or unique prefix of an id; on one machine, or on all that are online. */
async function findSession(reference: string, { machine: name, opened, signal }: Search): Promise<Session> {
  if (name !== undefined) {
    const { machine } = opened.use(await connectMachine(name, signal))
    const { sessionId } = choose(reference, await machine.sessions.list({ signal }))
    return machine.sessions.get(sessionId, { signal })
  }
  const client = opened.use(new Client())
  const { sessionId, machineId } = choose(reference, (await client.sessions.list({ signal })).items)
  const machine = await client.machine(machineId, { signal })
  return machine.sessions.get(sessionId, { signal })
}

type Found = Pick<FleetSession, 'sessionId' | 'name'>

function choose<Item extends Found>(reference: string, sessions: readonly Item[]): Item {
  const exact = sessions.filter(({ sessionId, name }) => sessionId === reference || name === reference)
  const found = exact.length > 0 ? exact : sessions.filter(({ sessionId }) => sessionId.startsWith(reference))
  const [first] = found
  if (first === undefined)
    throw new CmdopError('not_found', `There is no running session ${reference}; see: cmdop sessions.`)
  if (found.length === 1) return first
  const candidates = found.map(({ sessionId }) => sessionId)
  throw new CmdopError('ambiguous', `${reference} means several sessions: ${candidates.join(', ')}.`, {
    details: { candidates },
  })
}
