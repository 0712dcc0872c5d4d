import { Facts, MachineCapabilities, type MethodName } from '@cmdop/protocol'
import { newCallId, parseAnswer, parseJson } from './answers.ts'
import type { MachineApprovals } from './approvals.ts'
import type { CallDefaults, Channels } from './channels.ts'
import type { MachineEffects } from './effects.ts'
import { askExecResult } from './exec-result.ts'
import { RemoteExecution } from './execution.ts'
import { FileCalls } from './files/file-calls.ts'
import { RemoteFiles } from './files/remote-files.ts'
import type { ExecOptions, ExecResult, Execution, Machine } from './machine.ts'
import { RemoteEffects } from './remote-effects.ts'
import type { RunJournals } from './runs.ts'
import { RemoteSessions } from './sessions/remote-sessions.ts'
import type { MachineSessions } from './sessions/session.ts'
import { RemoteSkills } from './skills/remote-skills.ts'
import type { MachineSummary } from './resources.ts'

/** A machine over the relay. It is always the one it was resolved to, whatever is renamed meanwhile. */
export class RemoteMachine implements Machine {
  readonly id: string
  readonly name: string
  readonly hostname: string
  readonly files: RemoteFiles
  readonly sessions: MachineSessions<RemoteFiles>
  readonly effects: MachineEffects
  readonly skills: RemoteSkills
  readonly runs: RunJournals | undefined
  readonly approvals: MachineApprovals | undefined
  readonly #channels: Channels

  constructor(channels: Channels, summary: Pick<MachineSummary, 'id' | 'name' | 'hostname'>, files?: RemoteFiles) {
    this.#channels = channels
    this.id = summary.id
    this.name = summary.name
    this.hostname = summary.hostname
    this.effects = new RemoteEffects(channels, this.id)
    this.runs = channels.runs
    this.approvals = channels.approvals
    this.files = files ?? new RemoteFiles(new FileCalls(channels, this.id))
    this.sessions = new RemoteSessions(channels, this.id, this.files)
    this.skills = new RemoteSkills(channels, this)
  }

  as(calls: CallDefaults): Machine {
    return new RemoteMachine(this.#channels.with(calls), this)
  }

  exec(command: string | readonly string[], options: ExecOptions = {}): Execution {
    const { callId = newCallId() } = options
    return new RemoteExecution({ channels: this.#channels, machineId: this.id, command, callId, options })
  }

  execResult(callId: string, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<ExecResult> {
    return askExecResult({ channels: this.#channels, machineId: this.id, callId, signal })
  }

  async facts(options: { signal?: AbortSignal } = {}): Promise<Facts> {
    return parseAnswer(Facts, await this.#ask({ method: 'facts', signal: options.signal }))
  }

  async capabilities({ signal }: { signal?: AbortSignal } = {}): Promise<MachineCapabilities> {
    // They are found out by doing, once each boot.
    return parseAnswer(MachineCapabilities, await this.#ask({ method: 'capabilities', takesTime: true, signal }))
  }

  async #ask(call: { method: MethodName; takesTime?: boolean; signal: AbortSignal | undefined }): Promise<unknown> {
    const { data } = await this.#channels.ask({ ...call, target: this.id, params: {}, callId: newCallId() })
    return parseJson(data)
  }
}
