import { CmdopError, commandText, type ExecParams, isRestricted, type Permit } from '@cmdop/protocol'
import { argvOf, environmentOf, type ProcessGroup } from '../exec/process-group.ts'
import type { SessionTable } from '../sessions/session-table.ts'
import { assertHolds, heldRestrictions } from './held-restrictions.ts'
import type { Restricted } from './restricted.ts'
import { type MarkedRequest, runAlone, runAmong } from './run-command.ts'
import type { SessionPlace } from './session-place.ts'
import { settingsOf, type UserSettings } from './user-environment.ts'

/** A command that a call asks for. */
export interface CommandRequest {
  readonly callId: string
  readonly params: ExecParams
  readonly permit: Permit
  /** In the environment of everything it starts. */
  readonly marker: string
}

export interface RestrictedCommandsOptions {
  readonly restricted: Restricted
  readonly sessions: Pick<SessionTable, 'place'>
  /** What commands start from on this machine. */
  readonly settings: UserSettings
}

/** Starts the commands that may not do everything. */
export class RestrictedCommands {
  readonly #options: RestrictedCommandsOptions

  constructor(options: RestrictedCommandsOptions) {
    this.#options = options
  }

  /**
   * Starts it in a sandbox of its own, or in the view of its session; undefined for a command that nothing restricts. Rejects
   * with `restriction_unenforceable`, `validation`, `command_not_found` or `exec_failed`; nothing ran then.
   */
  start(command: CommandRequest): Promise<ProcessGroup> | undefined {
    const { params, permit } = command
    const place = params.showIn === undefined ? undefined : this.#options.sessions.place(params.showIn, permit)
    if (place !== undefined) return this.#startIn(place, command)
    const restrictions = heldRestrictions(params.restrictions, permit)
    return restrictions === undefined ? undefined : this.#startAlone({ restrictions }, command)
  }

  async #startIn(place: SessionPlace, command: CommandRequest): Promise<ProcessGroup> {
    refuseMore(place, command)
    if (place.isPerCommand) return this.#startAlone(place, command)
    const settings = await settingsOf(place.restrictions, this.#options.settings)
    return runAmong(await place.enter(), requestOf(command, settings))
  }

  async #startAlone(
    { restrictions, shared }: Pick<SessionPlace, 'restrictions'> & Partial<Pick<SessionPlace, 'shared'>>,
    command: CommandRequest,
  ): Promise<ProcessGroup> {
    const { callId, params, permit } = command
    const settings = await settingsOf(restrictions, this.#options.settings)
    const marked = requestOf(command, settings)
    const { principalId, principalKind, principalName: name } = permit
    const createdBy = { principalId, principalKind, name }
    const origin = {
      effectId: callId,
      kind: 'exec',
      title: commandText(params.command),
      restrictions,
      createdBy,
    } as const
    return runAlone(await this.#options.restricted.begin(origin, { cwd: marked.request.cwd, shared }), marked)
  }
}

/** The restrictions of a session are fixed: neither the call nor its permit may ask for others. */
function refuseMore(place: SessionPlace, { params, permit }: CommandRequest): void {
  const message = 'The session that this command is shown in has restrictions, which are fixed; leave them out here.'
  if (isRestricted(params.restrictions)) throw new CmdopError('validation', message)
  assertHolds(place.restrictions, permit)
}

function requestOf({ params, marker }: CommandRequest, { environment, home }: UserSettings): MarkedRequest {
  const [file = '', ...args] = argvOf(params)
  const env = environmentOf({ params, environment, marker })
  return { request: { file, args, cwd: params.cwd ?? home, env, stdin: params.stdin }, marker }
}
