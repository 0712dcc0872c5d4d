import { fitsPattern, type KeyScope, type MachineSelector } from '@cmdop/protocol'

/** A machine, as selectors see it. */
export interface MachineTarget {
  readonly id: string
  readonly name: string
}

type Scopes = readonly KeyScope[]

/**
 * Whether each list has a scope that allows the action there. No list: no limits. Who may do anything on a machine may see
 * it (`machine.list`); what is about the whole fleet takes a scope of all machines.
 */
export function scopesAllow(
  lists: readonly Scopes[],
  action: string,
  machine: MachineTarget | 'any' | undefined,
): boolean {
  const isSeeing = action === 'machine.list'
  const where = isSeeing ? (machine ?? 'any') : machine
  return lists.every((scopes) =>
    scopes.some(({ actions, machines }) => (isSeeing || fitsAction(actions, action)) && fitsMachine(machines, where)),
  )
}

/** Whether the action is one of these: by name, `file.*` or `*`. */
export function fitsAction(patterns: readonly string[], action: string): boolean {
  return patterns.some(
    (pattern) =>
      pattern === action || pattern === '*' || (pattern.endsWith('.*') && action.startsWith(pattern.slice(0, -1))),
  )
}

/** Whether one scope of `outer` has all that `inner` has, as far as that can be said without knowing the machines there are. */
export function isScopeWithin(inner: KeyScope, outer: Scopes, actions: readonly string[]): boolean {
  const meant = actions.filter((action) => fitsAction(inner.actions, action))
  return outer.some(
    (scope) =>
      meant.every((action) => fitsAction(scope.actions, action)) && isSelectorWithin(inner.machines, scope.machines),
  )
}

function fitsMachine(selector: MachineSelector, machine: MachineTarget | 'any' | undefined): boolean {
  if (selector === '*' || machine === 'any') return true
  if (machine === undefined) return false
  const { ids = [], names = [] } = selector
  return ids.includes(machine.id) || names.some((pattern) => fitsPattern(pattern, machine.name))
}

function isSelectorWithin(inner: MachineSelector, outer: MachineSelector): boolean {
  if (outer === '*') return true
  if (inner === '*') return false
  const { ids = [], names = [] } = inner
  return (
    ids.every((id) => outer.ids?.includes(id) === true) &&
    names.every((name) =>
      outer.names?.some((pattern) => pattern === name || (isPlain(name) && fitsPattern(pattern, name))),
    )
  )
}

function isPlain(name: string): boolean {
  return !/[*?]/.test(name)
}
