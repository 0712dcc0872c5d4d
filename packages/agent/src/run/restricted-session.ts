import type { Machine, MachineSessions, Restrictions, Session } from '@cmdop/core'
import { CmdopError, isRestricted, mergeRestrictions } from '@cmdop/protocol'

/** A session of a run under restrictions. */
export interface RestrictedSession {
  readonly session: Session
  /** What holds in it. */
  readonly restrictions: Restrictions
  /** The machine as the session has it: its commands and files are those of its view. */
  readonly machine: Machine
}

/** How one is opened. */
interface Opening {
  readonly signal: AbortSignal | undefined
  readonly open: (sessions: MachineSessions, restrictions: Restrictions) => Promise<Session>
}

/**
 * Opens a session in which all of these restrictions hold. Rejects with `restriction_unenforceable` where the machine cannot hold
 * them; nothing ran then. undefined: together they restrict nothing.
 */
export async function openRestrictedSession(
  machine: Machine,
  all: readonly Restrictions[],
  { signal, open }: Opening,
): Promise<RestrictedSession | undefined> {
  const restrictions = await commonRestrictions(machine, all, signal)
  if (!isRestricted(restrictions)) return undefined
  const { sessions } = machine
  if (sessions === undefined) throw noSessions(machine)
  // What is done in it is judged by what holds there.
  const held = machine.as?.({ under: restrictions }) ?? machine
  const session = await open(held.sessions ?? sessions, restrictions)
  return { session, restrictions, machine: machineIn(session, held) }
}

/** Their intersection. Where paths are compared, links in them are followed first, on the machine. */
async function commonRestrictions(
  machine: Machine,
  all: readonly Restrictions[],
  signal: AbortSignal | undefined,
): Promise<Restrictions | undefined> {
  const withPaths = all.filter(({ writablePaths }) => writablePaths !== undefined)
  const comparable =
    withPaths.length < 2 ? all : await Promise.all(all.map((each) => withRealPaths(machine, each, signal)))
  return comparable.reduce<Restrictions | undefined>(
    (one, other) => (one === undefined ? other : mergeRestrictions(one, other)),
    undefined,
  )
}

async function withRealPaths(
  machine: Machine,
  restrictions: Restrictions,
  signal: AbortSignal | undefined,
): Promise<Restrictions> {
  const { writablePaths = [] } = restrictions
  if (writablePaths.length === 0) return restrictions
  const argv = ['realpath', '-m', '-z', '--', ...writablePaths]
  const { exitCode, stdout } = await machine.exec(argv, { ...(signal && { signal }) })
  const real = stdout.split('\0').slice(0, -1)
  if (exitCode === 0 && real.length === writablePaths.length) return { ...restrictions, writablePaths: real }
  throw unenforceable('writablePaths', {
    missing: 'program realpath, to compare the paths of the agent with those of the run',
    fix: 'Give writablePaths once: to the agent or to the run.',
  })
}

function machineIn(session: Session, machine: Machine): Machine {
  const { id, name, hostname, effects, skills } = machine
  const exec: Machine['exec'] = (command, options) => machine.exec(command, { ...options, showIn: session.id })
  return {
    id,
    name,
    hostname,
    effects,
    files: session.files,
    exec,
    ...(skills && { skills: skills.within(exec) }),
    ...(machine.execResult && { execResult: machine.execResult.bind(machine) }),
    facts: (options) => machine.facts(options),
    capabilities: (options) => machine.capabilities(options),
  }
}

function noSessions({ name }: Machine): CmdopError {
  return unenforceable('restrictions', {
    missing: `sessions on the machine ${name}, in which they would hold`,
    fix: 'Update its daemon.',
  })
}

/** Nothing ran. */
export function unenforceable(restriction: string, { missing, fix }: { missing: string; fix: string }): CmdopError {
  return new CmdopError('restriction_unenforceable', `${restriction} cannot be held: there is no ${missing}. ${fix}`, {
    details: { restriction, missing, step: 'plan', fix, executed: false },
  })
}
