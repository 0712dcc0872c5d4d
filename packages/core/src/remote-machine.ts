import { Facts, type MachineSummary, type MethodName } from '@cmdop/protocol'
import { newCallId, parseAnswer, parseJson } from './answers.ts'
import type { Channels } from './channels.ts'
import { RemoteExecution } from './execution.ts'
import { RemoteFiles } from './files/remote-files.ts'
import type { ExecOptions, Execution, Machine } from './machine.ts'
import { RemoteSessions } from './sessions/remote-sessions.ts'
import type { MachineSessions } from './sessions/session.ts'

/** A machine over the relay. It is always the one it was resolved to, whatever is renamed meanwhile. */
export class RemoteMachine implements Machine {
  readonly id: string
  readonly name: string
  readonly hostname: string
  readonly files: RemoteFiles
  readonly sessions: MachineSessions
  readonly #channels: Channels

  constructor(channels: Channels, summary: Pick<MachineSummary, 'id' | 'name' | 'hostname'>, files?: RemoteFiles) {
    this.#channels = channels
    this.id = summary.id
    this.name = summary.name
    this.hostname = summary.hostname
    this.sessions = new RemoteSessions(channels, this.id)
    this.files = files ?? new RemoteFiles(channels, this.id)
  }

  exec(command: string | readonly string[], options: ExecOptions = {}): Execution {
    return new RemoteExecution({ channels: this.#channels, machineId: this.id, command, callId: newCallId(), options })
  }

  async facts(options: { signal?: AbortSignal } = {}): Promise<Facts> {
    const { data } = await this.#ask('facts', {}, options.signal)
    return parseAnswer(Facts, parseJson(data))
  }

  #ask(method: MethodName, params: Record<string, unknown>, signal: AbortSignal | undefined) {
    return this.#channels.ask({ method, target: this.id, params, callId: newCallId(), signal })
  }
}
