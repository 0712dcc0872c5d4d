import { CmdopError } from '@cmdop/protocol'
import { createFailureLimit, type FailureLimit, type MaxFailures } from '../waves/failure-limit.ts'
import type { FleetApproval, GateMoment } from '../gates/fleet-approval.ts'
import { type WaveSize, waveSizes } from '../waves/wave-sizes.ts'
import type { FleetMachine } from './fleet-row.ts'
import type { WaveSoFar, WaveVerdict } from './conduct.ts'
import { type Concurrency, createWindow, type Window } from './window.ts'

/** Milliseconds that a machine has unless chosen. */
export const DEFAULT_MACHINE_TIMEOUT_MS = 10 * 60_000

/** Milliseconds that machines are waited for at most: 30 days. */
const MAX_QUEUE_MS = 30 * 86_400_000

/** How a fleet run goes over its machines. */
export interface FleetOptions<Result> {
  /** Machines at once. Default 32. */
  readonly concurrency?: number | Concurrency
  /** Sizes of waves: `[1, '25%', '100%']`. Default: one wave of all. */
  readonly waves?: readonly WaveSize[]
  /** Milliseconds between a wave and the check after it. Default 0. */
  readonly bakeMs?: number
  /** Called between two waves. What it throws stops the run. */
  readonly check?: (soFar: WaveSoFar<Result>) => WaveVerdict | Promise<WaveVerdict>
  /**
   * The run stops before its next machine when failures are **more than** this; a percentage is of all machines, rounded down. Default:
   * 0 with waves, any number without.
   */
  readonly maxFailures?: MaxFailures
  /** Milliseconds that each machine has, held by the machine itself. Default 10 minutes. */
  readonly timeoutMs?: number
  /** Tries after the first one, where that cannot act twice. Default 0. */
  readonly retries?: number
  /** People approve what runs, exactly, before it does; see {@link GateMoment}. Default: nobody is asked but by the policy. */
  readonly approval?: GateMoment | FleetApproval
  /**
   * What is done where nobody knows whether it ran, because connection, daemon or script was lost under it. `at-most-once` (the default):
   * nothing, the outcome is `unknown` or `lost`. `at-least-once`: it is done again, by `retries`, of which there is one then unless
   * chosen, and by `resume`. For what may be done twice.
   */
  readonly delivery?: 'at-most-once' | 'at-least-once'
  /** From this instant on no machine begins: those left are `skipped`. Text is ISO 8601 in UTC. */
  readonly notAfter?: Date | string
  /**
   * Machines that are offline are waited for, without room in `concurrency`, until the run is this old: then they are `unreachable`.
   * Default: they are `unreachable` at once. A wave ends when those that it waits for have.
   */
  readonly queue?: { readonly maxAgeMs: number }
  /** `name` (the default), `reverse`, `shuffle`, or a function that puts the machines in order. */
  readonly order?: 'name' | 'reverse' | 'shuffle' | ((machines: readonly FleetMachine[]) => readonly FleetMachine[])
  /** No machine is no error. */
  readonly allowEmpty?: boolean
  /** A UUID. The same run never runs twice. Default: a new one. */
  readonly runId?: string
  /** Cancels. */
  readonly signal?: AbortSignal
}

/** What the options come to for these machines. */
export interface FleetPlan {
  readonly waves: readonly (readonly FleetMachine[])[]
  readonly window: Window
  readonly limit: FailureLimit
  readonly retries: number
  readonly bakeMs: number
  readonly timeoutMs: number
  /** Milliseconds since 1970; Infinity: whenever. */
  readonly notAfter: number
  /** Milliseconds from the beginning of the run in which machines may come back; undefined: they are not waited for. */
  readonly queueMs: number | undefined
}

/** Throws `validation` for options that are wrong, before any machine is asked. */
export function planOf(machines: readonly FleetMachine[], options: FleetOptions<never>): FleetPlan {
  const ordered = inOrder(machines, options.order)
  const { waves: sizes } = options
  const waves: FleetMachine[][] = []
  let next = 0
  for (const size of sizes === undefined ? [ordered.length] : waveSizes(ordered.length, sizes)) {
    waves.push(ordered.slice(next, next + size))
    next += size
  }
  return { ...settingsOf(ordered.length, options), waves }
}

/** The same for machines whose waves are known. */
export function settingsOf(total: number, options: FleetOptions<never>): Omit<FleetPlan, 'waves'> {
  const { maxFailures = options.waves === undefined ? undefined : 0 } = options
  return {
    window: createWindow(options.concurrency),
    limit: createFailureLimit(total, maxFailures),
    retries: whole(options.retries ?? (options.delivery === 'at-least-once' ? 1 : 0), {
      name: 'retries',
      from: 0,
      to: 20,
    }),
    bakeMs: whole(options.bakeMs ?? 0, { name: 'bakeMs', from: 0, to: 2 ** 31 - 1 }),
    timeoutMs: whole(options.timeoutMs ?? DEFAULT_MACHINE_TIMEOUT_MS, {
      name: 'timeoutMs',
      from: 1,
      to: 2 ** 31 - 10_001,
    }),
    notAfter: options.notAfter === undefined ? Number.POSITIVE_INFINITY : Date.parse(instantOf(options.notAfter)),
    queueMs: options.queue && whole(options.queue.maxAgeMs, { name: 'queue.maxAgeMs', from: 0, to: MAX_QUEUE_MS }),
  }
}

/** As ISO 8601 in UTC. Throws `validation`. */
export function instantOf(instant: Date | string): string {
  const date = new Date(instant)
  if (!Number.isNaN(date.getTime())) return date.toISOString()
  throw new CmdopError(
    'validation',
    `Expected notAfter to be an instant such as 2030-01-01T06:00:00Z, got ${String(instant)}.`,
  )
}

function inOrder(machines: readonly FleetMachine[], order: FleetOptions<never>['order'] = 'name'): FleetMachine[] {
  if (typeof order === 'function') return sameMachines(machines, order(machines))
  if (order === 'name') return machines.slice()
  if (order === 'reverse') return machines.toReversed()
  const shuffled = machines.slice()
  for (let index = shuffled.length - 1; index > 0; index -= 1) {
    const other = Math.floor(Math.random() * (index + 1))
    const [one, two] = [shuffled[index], shuffled[other]]
    if (one !== undefined && two !== undefined) [shuffled[index], shuffled[other]] = [two, one]
  }
  return shuffled
}

/** An order neither leaves out a machine nor adds one. */
function sameMachines(machines: readonly FleetMachine[], ordered: readonly FleetMachine[]): FleetMachine[] {
  const ids = new Set(ordered.map(({ id }) => id))
  if (ordered.length === machines.length && machines.every(({ id }) => ids.has(id))) return ordered.slice()
  throw new CmdopError('validation', 'Expected the function `order` to give every machine once.')
}

function whole(value: number, { name, from, to }: { name: string; from: number; to: number }): number {
  if (Number.isSafeInteger(value) && value >= from && value <= to) return value
  throw new CmdopError('validation', `Expected ${name} to be a whole number from ${from} to ${to}, got ${value}.`)
}
