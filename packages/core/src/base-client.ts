import * as wire from '@cmdop/protocol'
import { ApprovalsNamespace } from './approvals.ts'
import { AuditNamespace } from './audit.ts'
import { Channels } from './channels.ts'
import { FleetsNamespace } from './fleets.ts'
import { FleetRunsNamespace } from './fleet-runs.ts'
import { FileCalls } from './files/file-calls.ts'
import { RemoteFiles } from './files/remote-files.ts'
import { LoginNamespace } from './login.ts'
import { MembersNamespace } from './members.ts'
import { EnrollmentTokensNamespace } from './enrollment-tokens.ts'
import { KeysNamespace } from './keys.ts'
import { MachinesNamespace } from './machines.ts'
import type { Platform } from './platform.ts'
import { PolicyNamespace } from './policy.ts'
import { RecordingsNamespace } from './recordings.ts'
import type { MachineSummary, Me } from './resources.ts'
import type { RemoteMachine } from './remote-machine.ts'
import { RestClient } from './rest-client.ts'
import { RunsNamespace } from './runs.ts'
import { SessionsNamespace } from './sessions-namespace.ts'
import { RemoteSessions } from './sessions/remote-sessions.ts'
import { SchedulesNamespace } from './schedules.ts'
import { type ClientOptions, type ClientSettings, resolveSettings } from './settings.ts'
import { SkillsNamespace } from './skills/skills-namespace.ts'
import { TerminalNamespace } from './terminal.ts'
import { TunnelsNamespace } from './tunnels/tunnels-namespace.ts'
import { WebhooksNamespace } from './webhooks.ts'

/** Makes the platform's handle of a machine. */
export type CreateMachine<Handle extends RemoteMachine> = (
  channels: Channels,
  summary: Pick<MachineSummary, 'id' | 'name' | 'hostname'>,
) => Handle

/** A client of a relay, without the platform it runs on: `Client` of `@cmdop/core` and of `@cmdop/core/browser`. */
export class BaseClient<Handle extends RemoteMachine = RemoteMachine> implements AsyncDisposable {
  readonly machines: MachinesNamespace
  readonly fleets: FleetsNamespace
  readonly keys: KeysNamespace
  readonly members: MembersNamespace
  readonly schedules: SchedulesNamespace
  readonly login: LoginNamespace
  readonly enrollmentTokens: EnrollmentTokensNamespace
  readonly sessions: SessionsNamespace
  readonly terminal: TerminalNamespace
  readonly recordings: RecordingsNamespace
  readonly runs: RunsNamespace
  readonly fleetRuns: FleetRunsNamespace
  readonly approvals: ApprovalsNamespace
  readonly policy: PolicyNamespace
  readonly audit: AuditNamespace
  readonly webhooks: WebhooksNamespace
  readonly skills: SkillsNamespace
  readonly tunnels: TunnelsNamespace
  readonly #settings: ClientSettings
  readonly #rest: RestClient
  readonly #channels: Channels
  readonly #createMachine: CreateMachine<Handle>

  constructor(options: ClientOptions, platform: Platform, createMachine: CreateMachine<Handle>) {
    this.#createMachine = createMachine
    this.#settings = resolveSettings(options, platform.settings)
    const rest = new RestClient(this.#settings, platform)
    this.#rest = rest
    this.runs = new RunsNamespace(rest)
    this.fleetRuns = new FleetRunsNamespace(rest)
    this.approvals = new ApprovalsNamespace(rest)
    this.policy = new PolicyNamespace(rest)
    this.webhooks = new WebhooksNamespace(rest)
    this.#channels = new Channels(this.#settings, platform, rest, { approvals: this.approvals, runs: this.runs })
    this.tunnels = new TunnelsNamespace(rest, this.#channels, platform.listen)
    this.machines = new MachinesNamespace(rest)
    const fleetId = async () => this.fleetId ?? (await this.me()).fleetId
    this.keys = new KeysNamespace(rest, fleetId)
    this.members = new MembersNamespace(rest, fleetId)
    this.fleets = new FleetsNamespace(rest, { fleetId, members: this.members })
    this.schedules = new SchedulesNamespace(rest, fleetId)
    this.login = new LoginNamespace(rest)
    this.enrollmentTokens = new EnrollmentTokensNamespace(rest)
    this.sessions = new SessionsNamespace(this.machines, (machineId) => {
      const files = new RemoteFiles(new FileCalls(this.#channels, machineId))
      return new RemoteSessions(this.#channels, machineId, files)
    })
    this.terminal = new TerminalNamespace(this)
    this.recordings = new RecordingsNamespace(rest)
    this.audit = new AuditNamespace(rest)
    this.skills = new SkillsNamespace(rest, (reference, options) => this.machine(reference, options))
  }

  /** Address of the relay, without a slash at its end. */
  get baseUrl(): string {
    return this.#settings.baseUrl
  }

  /** The key for the relay, wherever it was found; undefined when there is none. */
  get token(): string | undefined {
    return this.#settings.token
  }

  /** The fleet of fleet-scoped calls; the key's own where none is set. */
  get fleetId(): string | undefined {
    return this.#settings.fleetId
  }

  /** Who the key is. */
  me({ signal }: { signal?: AbortSignal } = {}): Promise<Me> {
    return this.#rest.call({ method: 'GET', path: '/api/me', answer: wire.Me, signal })
  }

  /**
   * A handle of the machine that the reference means: id, hostname, name or unique prefix, in this order.
   * Throws `not_found`, or `ambiguous` with the candidates in `details`.
   */
  async machine(reference: string, options: { signal?: AbortSignal | undefined } = {}): Promise<Handle> {
    return this.#createMachine(this.#channels, await this.machines.resolve(reference, options))
  }

  /** A handle of a machine that is known already, such as one of a list: asks the relay nothing. */
  handle(machine: Pick<MachineSummary, 'id' | 'name' | 'hostname'>): Handle {
    return this.#createMachine(this.#channels, machine)
  }

  /** Ends every command of this client that still runs, and the connection. Idempotent. */
  async close(): Promise<void> {
    await this.#channels.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
