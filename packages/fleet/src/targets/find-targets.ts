import {
  CmdopError,
  isPattern,
  type MachineSummary,
  parseSelector,
  Selector,
  selects,
  type SelectableMachine,
} from '@cmdop/protocol'

/**
 * Which machines: a selector (`role=web,env!=dev`, `web-*`, `web-1 or web-2`), several of them of which any may fit, or one as
 * data. See `parseSelector`.
 */
export type Targets = string | readonly string[] | Selector

/** What lists the machines of a fleet: `client.machines`. */
export interface MachineSource {
  iter(query: { limit: number; signal?: AbortSignal }): AsyncIterable<MachineSummary>
}

export interface FindTargets {
  readonly machines: MachineSource
  /** No machine is no error. */
  readonly allowEmpty?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** Machines in one answer of the relay. */
const PAGE = 500

/**
 * The machines that are meant, in order of their names. Throws `validation` for no selector, `not_found` when no machine fits, or
 * none has a name that is given, and `ambiguous` when several have.
 */
export async function findTargets(targets: Targets, options: FindTargets): Promise<MachineSummary[]> {
  const selector = selectorOf(targets)
  const names = namesIn(selector)
  const named = new Map(names.map((name): [string, MachineSummary[]] => [name, []]))
  const found: MachineSummary[] = []
  for await (const machine of options.machines.iter({
    limit: PAGE,
    ...(options.signal && { signal: options.signal }),
  })) {
    for (const name of new Set([machine.id, machine.name, machine.hostname])) named.get(name)?.push(machine)
    if (selects(selector, machine)) found.push(machine)
  }
  for (const [name, machines] of named) assertOne(name, machines)
  if (found.length === 0 && options.allowEmpty !== true)
    throw new CmdopError(
      'not_found',
      `No machine of your fleet fits ${shown(targets)}; see: cmdop machines. Set allowEmpty if that is all right.`,
    )
  return found.sort(byName)
}

/** The one selector that the targets are. Throws `validation`. */
export function selectorOf(targets: Targets): Selector {
  if (typeof targets === 'string') return parseSelector(targets)
  if (isList(targets)) return { any: targets.map((each) => parseSelector(each)) }
  const parsed = Selector.safeParse(targets)
  if (parsed.success) return parsed.data
  throw new CmdopError('validation', 'Expected targets as a selector, a list of them, or one as data.', {
    cause: parsed.error,
  })
}

function isList(targets: Targets): targets is readonly string[] {
  return Array.isArray(targets)
}

/** Names without a pattern, each of which has to be that of a machine; of what is left out, too. */
function namesIn(selector: Selector): string[] {
  if ('machine' in selector) return isPattern(selector.machine) ? [] : [selector.machine]
  if ('label' in selector) return []
  if ('not' in selector) return namesIn(selector.not)
  return ('all' in selector ? selector.all : selector.any).flatMap(namesIn)
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

function shown(targets: Targets): string {
  return JSON.stringify(targets).slice(0, 200)
}
