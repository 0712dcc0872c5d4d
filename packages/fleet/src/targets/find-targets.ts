import type { MachineSummary } from '@cmdop/core'
import {
  CmdopError,
  isPattern,
  type OutcomeName,
  type SelectableMachine,
  type Selector,
  selects,
} from '@cmdop/protocol'
import type { FleetClient } from '../fleet-client.ts'
import { type RunTargets, type Targets, type TargetTree, targetTreeOf } from './targets.ts'

export interface FindTargets {
  readonly client: Pick<FleetClient, 'machines' | 'fleetRuns' | 'me'>
  /** No machine is no error. */
  readonly allowEmpty?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** Machines in one answer of the relay. */
const PAGE = 500

/** Whether a machine is meant. */
type Fits = (machine: SelectableMachine) => boolean

/**
 * The machines that are meant, in order of their names. Throws `validation` for no selector, `not_found` when no machine fits, or
 * none has a name that is given, or there is no such run, or another fleet is meant, and `ambiguous` when several have a name.
 */
export async function findTargets(targets: Targets, options: FindTargets): Promise<MachineSummary[]> {
  const tree = targetTreeOf(targets)
  const fits = await lookUp(tree, options)
  const named = new Map(namesIn(tree).map((name): [string, MachineSummary[]] => [name, []]))
  const found: MachineSummary[] = []
  for await (const machine of options.client.machines.iter({
    limit: PAGE,
    ...(options.signal && { signal: options.signal }),
  })) {
    for (const name of new Set([machine.id, machine.name, machine.hostname])) named.get(name)?.push(machine)
    if (fits(machine)) found.push(machine)
  }
  for (const [name, machines] of named) assertOne(name, machines)
  if (found.length === 0 && options.allowEmpty !== true)
    throw new CmdopError(
      'not_found',
      `No machine of your fleet fits ${shown(targets)}; see: cmdop machines. Set allowEmpty if that is all right.`,
    )
  return found.sort(byName)
}

/** Asks the relay what it has to be asked for, once for each part. */
async function lookUp(tree: TargetTree, options: FindTargets): Promise<Fits> {
  if ('selector' in tree) return (machine) => selects(tree.selector, machine)
  if ('fleet' in tree) return ofFleet(tree.fleet, options)
  if ('run' in tree) return ofRun(tree, options)
  if ('not' in tree) {
    const fits = await lookUp(tree.not, options)
    return (machine) => !fits(machine)
  }
  const isAll = 'all' in tree
  const parts = await Promise.all((isAll ? tree.all : tree.any).map((part) => lookUp(part, options)))
  return (machine) => (isAll ? parts.every((fits) => fits(machine)) : parts.some((fits) => fits(machine)))
}

async function ofFleet(fleet: string, { client, signal }: FindTargets): Promise<Fits> {
  const { fleetId: id, fleetName: name } = await client.me(signal && { signal })
  if (fleet === id || fleet === name) return () => true
  throw new CmdopError('not_found', `Your key is of the fleet ${name}, and reaches none that is called ${fleet}.`)
}

async function ofRun({ run, outcomes }: RunTargets, { client, signal }: FindTargets): Promise<Fits> {
  const ids = new Set<string>()
  const add = (id: string, outcome: OutcomeName | null) => {
    if (outcomes === undefined || (outcome !== null && outcomes.includes(outcome))) ids.add(id)
  }
  if (typeof run !== 'string') for (const { machine, outcome } of run.rows) add(machine.id, outcome)
  else
    for await (const { machineId, outcome } of client.fleetRuns.targets(run, signal && { signal }))
      add(machineId, outcome)
  return ({ id }) => ids.has(id)
}

/** Names without a pattern, each of which has to be that of a machine; of what is left out, too. */
function namesIn(tree: TargetTree): string[] {
  if ('selector' in tree) return namesOf(tree.selector)
  if ('not' in tree) return namesIn(tree.not)
  if ('all' in tree) return tree.all.flatMap(namesIn)
  return 'any' in tree ? tree.any.flatMap(namesIn) : []
}

function namesOf(selector: Selector): string[] {
  if ('machine' in selector) return isPattern(selector.machine) ? [] : [selector.machine]
  if ('label' in selector) return []
  if ('not' in selector) return namesOf(selector.not)
  return ('all' in selector ? selector.all : selector.any).flatMap(namesOf)
}

/** What names one machine must not be two: a name may be another one's hostname, and a hostname that of several. */
function assertOne(name: string, machines: readonly SelectableMachine[]): void {
  if (machines.length === 0)
    throw new CmdopError('not_found', `There is no machine ${name} in your fleet; see: cmdop machines.`)
  if (machines.length === 1) return
  throw new CmdopError('ambiguous', `${name} fits ${machines.length} machines; use their ids.`, {
    details: { candidates: machines.map(({ id, name: called, hostname }) => ({ id, name: called, hostname })) },
  })
}

function byName(one: MachineSummary, other: MachineSummary): number {
  return one.name < other.name ? -1 : Number(one.name > other.name)
}

/** Of a report only that it is one. */
function shown(targets: Targets): string {
  const text = JSON.stringify(targets, (key, value: unknown) => (key === 'rows' ? '...' : value))
  return text.slice(0, 200)
}
