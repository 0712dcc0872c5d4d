import { CmdopError, type SessionInfo, toCmdopError } from '@cmdop/protocol'
import type { MachinesNamespace } from './machines.ts'
import { itemsOf, onePage } from './pages.ts'
import type { MachineSummary } from './resources.ts'
import type { MachineSessions } from './sessions/session.ts'

/** Machines that are asked at once. */
const ASKED_AT_ONCE = 8

/** A session, and the machine it is on. */
export interface FleetSession extends SessionInfo {
  readonly machineId: string
  readonly machineName: string
}

/** The sessions of the machines that answered, and what became of the others. */
export interface FleetSessions {
  readonly items: readonly FleetSession[]
  readonly failed: readonly { readonly machineId: string; readonly machineName: string; readonly error: CmdopError }[]
}

/** `client.sessions`: the sessions of all machines of the fleet. */
export class SessionsNamespace {
  readonly #machines: MachinesNamespace
  readonly #sessionsOf: (machineId: string) => MachineSessions

  constructor(machines: MachinesNamespace, sessionsOf: (machineId: string) => MachineSessions) {
    this.#machines = machines
    this.#sessionsOf = sessionsOf
  }

  /** Asks every machine that is online, eight at a time. A machine that does not answer is named in `failed`. */
  async list({ signal, ...options }: { ended?: boolean; signal?: AbortSignal } = {}): Promise<FleetSessions> {
    const cancellable = signal === undefined ? {} : { signal }
    const found: { items: FleetSession[]; failed: FleetSessions['failed'][number][] } = { items: [], failed: [] }
    const machines = this.#machines.iter({ presence: 'online', ...cancellable })
    const ask = async ({ id: machineId, name: machineName }: MachineSummary) => {
      try {
        const sessions = await this.#sessionsOf(machineId).list({ ...options, ...cancellable })
        found.items.push(...sessions.map((session) => ({ ...session, machineId, machineName })))
      } catch (cause) {
        const error = toCmdopError(cause, 'server', 'The client met a fault of its own.')
        if (error.code === 'cancelled') throw error
        found.failed.push({ machineId, machineName, error })
      }
    }
    const work = async () => {
      for (let next = await machines.next(); next.done !== true; next = await machines.next()) await ask(next.value)
    }
    await Promise.all(Array.from({ length: ASKED_AT_ONCE }, work))
    found.items.sort((one, other) => other.createdAt.localeCompare(one.createdAt))
    return found
  }

  /** Each session of the machines that answered; the others are in `failed` of `list` and of `pages`. */
  iter(options: { ended?: boolean; signal?: AbortSignal } = {}): AsyncGenerator<FleetSession> {
    return itemsOf(this.pages(options), ({ machineId, sessionId }) => `${machineId} ${sessionId}`, options)
  }

  /** Every page: all are on one. */
  pages(options: { ended?: boolean; signal?: AbortSignal } = {}): AsyncGenerator<FleetSessions> {
    return onePage(() => this.list(options))
  }
}
