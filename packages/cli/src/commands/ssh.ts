import type { RemoteMachine, Session } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'
import { terminalEnvironment } from '../config.ts'
import { connectMachine } from '../connect.ts'
import { tellSessionEffect } from '../effects/tell-effect.ts'
import { execExitCodeOf } from '../exit-codes.ts'
import { interact } from '../interactive/interact.ts'
import { localSize } from '../interactive/local-terminal.ts'
import { type RestrictionFlags, restrictionsOf } from '../restriction-options.ts'
import { reportError } from '../terminal.ts'

export interface SshFlags extends RestrictionFlags {
  name?: string
  shell?: string
  observe?: boolean
}

/** `cmdop ssh <machine>`: a shell on a machine, in this terminal, in a session that others can join. */
export async function sshCommand(reference: string, flags: SshFlags, signal: AbortSignal): Promise<number> {
  try {
    const restrictions = restrictionsOf(flags)
    if (flags.observe === true && restrictions !== undefined)
      throw new CmdopError('config', 'Restrictions are fixed when a session begins; they cannot be set with --observe.')
    await using connected = await connectMachine(reference, signal)
    const { machine } = connected
    if (flags.observe === true) {
      await using watched = await (await newestSession(machine, signal)).observe()
      return await interact(watched, signal)
    }
    const { name, shell } = flags
    const size = localSize()
    const env = size === undefined ? {} : terminalEnvironment()
    const session = await machine.sessions.open({ name, shell, size, env, restrictions, signal })
    // From its first byte on: there is no screen yet that could be painted.
    await using attachment = await session.attach({ size, offset: 0 })
    const exitCode = await interact(attachment, signal)
    if (restrictions !== undefined) await tellSessionEffect(connected, session)
    return exitCode
  } catch (error) {
    return execExitCodeOf((await reportError(error, false)).code)
  }
}

async function newestSession(machine: RemoteMachine, signal: AbortSignal): Promise<Session> {
  const sessions = await machine.sessions.list({ signal })
  const [newest] = sessions.toSorted((one, other) => other.createdAt.localeCompare(one.createdAt))
  if (newest === undefined) throw new CmdopError('not_found', `There is no running session on ${machine.name}.`)
  return machine.sessions.get(newest.sessionId, { signal })
}
