import { randomUUID } from 'node:crypto'
import { join, resolve } from 'node:path'
import { CmdopError, type Labels, type Permit, type Restrictions } from '@cmdop/protocol'
import { type Logger, pino } from 'pino'
import { answer } from './answer.ts'
import { ApprovalChecker } from './approvals/approval-checker.ts'
import { describeAction } from './approvals/describe-action.ts'
import { UsedApprovals } from './approvals/used-approvals.ts'
import { readProcessSettings } from './config.ts'
import { CallTable } from './exec/call-table.ts'
import { describeMachine } from './facts/describe-machine.ts'
import { createFileService } from './files/file-handlers.ts'
import { lockFolder } from './lock.ts'
import { MachineKey } from './machine-key.ts'
import { type MachineState, readMachineState } from './machine-state.ts'
import { PermitChecker } from './permit-checker.ts'
import { MachineRequests } from './recordings/machine-requests.ts'
import { Recorder } from './recordings/recorder.ts'
import { keepConnected } from './relay-connection.ts'
import { Resident, type ResidentSettings } from './resident/resident.ts'
import { Restricted } from './restricted/restricted.ts'
import { RestrictedCommands } from './restricted/restricted-commands.ts'
import { settingsOf } from './restricted/user-environment.ts'
import { createFilePlaces } from './restricted/session-file-places.ts'
import { createChannelServer } from './serve-channel.ts'
import { nodePtyHost } from './sessions/pty/node-pty.ts'
import { SessionTable } from './sessions/session-table.ts'
import { SkillTable } from './skills/skill-table.ts'
import { TunnelConnections } from './tunnels/tunnel-connections.ts'

export interface MachineOptions {
  /** Folder of an enrolled machine. */
  dataDir: string
  /** Where the relay is now; by default where it was when the machine enrolled. Its key stays pinned. */
  relayUrl?: string
  /** The AI operator that lives here. Default: the model that the environment of the daemon configures. */
  operator?: ResidentSettings
  /** Folders that nothing restricted sees, beside `dataDir`: such as those of a relay on the same machine. */
  hidden?: readonly string[]
  /** Where the files of installed skills are; restricted commands see it. Default: `CMDOP_SKILLS_DIR`, else beside `dataDir`, which they do not see: `<dataDir>-skills`. */
  skillsDir?: string
  /** What selectors see of this machine, where the relay has no label of the name. Default: of `CMDOP_LABELS`. */
  labels?: Labels
  /** Default `info`. */
  logLevel?: 'silent' | 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace'
}

/** A daemon that runs. */
export interface RunningMachine extends AsyncDisposable {
  readonly state: MachineState
  /** Commands that run now. */
  readonly runningCalls: number
  /** Sessions that run now. */
  readonly runningSessions: number
  /** Ends every command and session, then the connection. Idempotent. */
  close(): Promise<void>
}

/**
 * Starts the daemon of an enrolled machine: ends what an earlier one left, then keeps a connection to the relay.
 * Throws `config` when the folder is not enrolled, `conflict` when a daemon already runs with it.
 */
export async function startMachine(options: MachineOptions): Promise<RunningMachine> {
  const enrolled = await readMachineState(options.dataDir)
  if (enrolled === undefined) {
    throw new CmdopError('config', `${options.dataDir} holds no enrolled machine; run first: cmdop machine enroll.`)
  }
  const state = { ...enrolled, relayUrl: options.relayUrl?.replace(/\/+$/, '') ?? enrolled.relayUrl }
  const log = createLogger(options.logLevel ?? 'info')
  await using opened = new AsyncDisposableStack()
  opened.use(await lockFolder(options.dataDir))
  const key = new MachineKey(options.dataDir, enrolled)
  const requests = new MachineRequests(state, key)
  const recorder = new Recorder({ dataDir: options.dataDir, requests, log })
  opened.defer(() => recorder.close().finally(() => requests.close()))
  const folder = join(options.dataDir, 'calls')
  const { operatorSettings, labels, skillsDir, tunnelRules, ...settings } = readProcessSettings()
  const shared = { machineId: state.machineId, recorder, log, ...settings }
  const restricted = opened.use(new Restricted({ dataDir: options.dataDir, hidden: options.hidden, log }))
  const sessionsFolder = join(options.dataDir, 'sessions')
  const sessions = new SessionTable({ ...shared, folder: sessionsFolder, ptys: nodePtyHost, restricted })
  const commands = new RestrictedCommands({ restricted, sessions, settings: shared })
  const calls = new CallTable({ ...shared, folder, sessions, restricted: commands, now: () => permits.latestNow })
  await Promise.all([calls.endLeftovers(), sessions.endLeftovers()])
  await restricted.effects.start()
  const files = createFileService(join(options.dataDir, 'uploads'), createFilePlaces(restricted, sessions))
  restricted.leave = (viewId) => files.leave(viewId)
  await files.removeLeftovers()
  const permits = new PermitChecker(state)
  const used = new UsedApprovals(options.dataDir)
  await used.prune(permits.relayNow)
  const restrictionsOf = (sessionId: string, permit: Permit) => sessions.place(sessionId, permit)?.restrictions
  const homeUnder = async (held: Restrictions) => (await settingsOf(held, settings)).home
  const surroundings = { machineId: state.machineId, homeUnder, restrictionsOf }
  const approvals = new ApprovalChecker({ state, ...surroundings, used, now: () => permits.relayNow })
  const { environment } = settings
  const folderOfSkills = resolve(options.skillsDir ?? skillsDir ?? `${options.dataDir.replace(/\/+$/, '')}-skills`)
  const skills = new SkillTable({ folder: folderOfSkills, records: join(options.dataDir, 'skills'), environment })
  const tunnels = new TunnelConnections(tunnelRules)
  const served = { permits, approvals, calls, files, sessions, restricted, skills, log }
  const resident = new Resident({
    dataDir: options.dataDir,
    state,
    settings: { ...operatorSettings, ...options.operator },
    serve: createChannelServer(served),
    sessions,
    log,
  })
  const description = await describeMachine()
  const stop = new AbortController()
  const connected = keepConnected(
    {
      state,
      key,
      instanceId: randomUUID(),
      labels: options.labels ?? labels,
      description,
      log,
      serve: createChannelServer(served, {
        ...resident.handlers,
        ...tunnels.handlers,
        'action.describe': (channel, params, permit) =>
          answer(channel, () => describeAction(params, permit, surroundings)),
      }),
      endAll: async () => {
        const gone = new CmdopError('lost', 'The machine was disabled, or moved to another fleet.')
        await Promise.all([calls.endAll(), sessions.endAll(), resident.endAll(), tunnels.endAll(gone)])
      },
      synchronise: (relayTime) => permits.synchronise(relayTime),
    },
    stop.signal,
  )
  opened.defer(async () => {
    stop.abort()
    await connected
  })
  opened.defer(() => Promise.all([calls.close(), sessions.close()]).then(() => {}))
  opened.defer(() => files.close())
  opened.use(tunnels)
  opened.defer(() => resident.close())
  const running = opened.move()
  const close = () => running.disposeAsync()
  return {
    state,
    get runningCalls() {
      return calls.size
    },
    get runningSessions() {
      return sessions.size
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** JSON lines on stderr. Commands, their output and environment are never logged. */
function createLogger(level: string): Logger {
  return pino({ name: 'cmdop-machine', level }, pino.destination({ dest: 2, sync: false }))
}
