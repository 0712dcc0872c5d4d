import { effectLikeness, toCmdopError } from '@cmdop/protocol'
import pLimit from 'p-limit'
import type { FleetMachine, FleetRow } from '../../run/fleet-row.ts'
import type { PlaybookClient } from '../playbook-client.ts'
import { madeFor } from '../run/for-each.ts'
import { doesOf } from '../run/next-steps.ts'
import type { CheckStep, MachineContext, Step } from '../steps/step.ts'
import { NotKnown, StepValues } from '../steps/values.ts'
import type { DryEffect, DryRow, DryStep, PlaybookDryRun } from './dry-run-report.ts'
import { type DrySession, openDrySession } from './dry-session.ts'

/** Machines at once. */
const AT_ONCE = 16

export interface DryRunOptions {
  readonly client: PlaybookClient
  readonly name: string
  readonly steps: readonly Step[]
  readonly machines: readonly FleetMachine[]
  readonly signal: AbortSignal
}

/** What one machine came to. */
interface OnMachine {
  /** In the order of the steps. */
  readonly rows: readonly DryRow[]
  readonly effect: DryEffect
}

/**
 * Does the commands, checks and copies of a playbook on each machine in a view of it, of which nothing reaches the machine, and says of
 * each step what it knows. Nobody is asked anything, no model either, and nothing is written down. Throws `cancelled` with the signal.
 */
export async function dryRunPlaybook(options: DryRunOptions): Promise<PlaybookDryRun> {
  const { name, machines, signal } = options
  const steps = inOrder(options.steps)
  const limit = pLimit(AT_ONCE)
  const all = await Promise.all(machines.map((machine) => limit(() => onMachine(options, steps, machine))))
  signal.throwIfAborted()
  const rowsOf = (index: number) => all.flatMap(({ rows }) => rows.slice(index, index + 1))
  const dry = steps.map((step, index): DryStep => ({ step: step.name, kind: step.kind, rows: rowsOf(index) }))
  const isKnown = dry.every(({ rows }) => rows.every(({ grade }) => grade === 'verified' || grade === 'asked'))
  return { playbook: name, steps: dry, effects: alike(all.map(({ effect }) => effect)), isKnown }
}

async function onMachine(
  { client, name, signal }: DryRunOptions,
  steps: readonly Step[],
  machine: FleetMachine,
): Promise<OnMachine> {
  try {
    await using session = await openDrySession(client.handle(machine), name, signal)
    const rows = await oneAfterTheOther(steps, { session, machine })
    return { rows, effect: { machines: [machine], effect: await session.effect(), why: null } }
  } catch (error) {
    const why = toCmdopError(error, 'server', String(error)).message
    const row = { machine, grade: 'unsupported', does: null, result: null, why } as const
    return { rows: steps.map(() => row), effect: { machines: [machine], effect: null, why } }
  }
}

/** Where a step is tried. */
interface DrySite {
  readonly session: DrySession
  readonly machine: FleetMachine
}

async function oneAfterTheOther(steps: readonly Step[], site: DrySite): Promise<DryRow[]> {
  const values = new StepValues()
  const rows: DryRow[] = []
  for (const step of steps) {
    const failed = rows.findIndex(({ grade }) => grade === 'failed')
    const row =
      failed === -1
        ? await tried(step, values.forMachine(site.machine), site)
        : unknown(
            site.machine,
            `The step '${steps[failed]?.name}' failed here, so nobody knows what would be there then.`,
          )
    rows.push(row)
    if (row.grade === 'verified') values.set(step.name, [valueRow(row)])
    else values.setUnknown(step.name)
  }
  return rows
}

/** One step. What is made of what is not known is not known either. */
async function tried(step: Step, context: MachineContext, { session, machine }: DrySite): Promise<DryRow> {
  let does: DryRow['does'] = null
  try {
    if (step.kind === 'approve') return { machine, grade: 'asked', does: null, result: null, why: 'People are asked.' }
    if (step.kind === 'parallel') throw new NotKnown(step.name)
    does = doesOf(step, context)
    if (step.kind === 'run') return { ...unknown(machine, 'An AI operator is not asked in a dry run.'), does }
    if (step.kind === 'copy') {
      const result = await session.copy(step, madeFor(context, step.to))
      return { machine, grade: 'verified', does, result, why: null }
    }
    if (step.options.restrictions !== undefined)
      return {
        ...unknown(machine, 'It has restrictions of its own, which are not held together with a dry run.'),
        does,
      }
    const result = await session.exec(madeFor(context, step.command), step.options)
    if (step.kind === 'check') return await checked(step, context, { machine, does, result })
    if (result.exitCode === 0) return { machine, grade: 'verified', does, result, why: null }
    const how = result.signal === null ? `exit code ${result.exitCode}` : `a signal, ${result.signal}`
    return { machine, grade: 'failed', does, result, why: `It ended with ${how}.` }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return { ...unknown(machine, why), does }
  }
}

/** What is not so in a view may be so on the machine itself: services, for one, are not started again in it. */
async function checked(
  { options }: CheckStep,
  context: MachineContext,
  row: Pick<DryRow, 'machine' | 'does'> & { readonly result: Awaited<ReturnType<DrySession['exec']>> },
): Promise<DryRow> {
  const { until = ({ exitCode }) => exitCode === 0 } = options
  if (await until(row.result, context)) return { ...row, grade: 'verified', why: null }
  return { ...row, grade: 'unknown', why: 'It is not so in the view; whether it will be is not known before.' }
}

function unknown(machine: FleetMachine, why: string): DryRow {
  return { machine, grade: 'unknown', does: null, result: null, why }
}

function valueRow({ machine, result }: DryRow): FleetRow<unknown> {
  return { machine, wave: 1, outcome: 'ok', result, error: null, attempts: 1, startedAt: null, durationMs: null }
}

/** Without those that hold others. */
function inOrder(steps: readonly Step[]): Step[] {
  return steps.flatMap((step) => (step.kind === 'parallel' ? inOrder(step.steps) : [step]))
}

/** Machines on which the same would change are told once. */
function alike(effects: readonly DryEffect[]): DryEffect[] {
  const groups = new Map<string, DryEffect>()
  for (const each of effects) {
    const [machine] = each.machines
    const likeness = each.effect === null ? `?${each.why}` : (effectLikeness(each.effect) ?? machine?.id ?? '')
    const group = groups.get(likeness)
    groups.set(likeness, group === undefined ? each : { ...group, machines: [...group.machines, ...each.machines] })
  }
  return Array.from(groups.values()).sort((one, other) => other.machines.length - one.machines.length)
}
