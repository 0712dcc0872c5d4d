import { z } from 'zod'
import type { Labels } from './labels.ts'
import { fitsPattern } from './name-pattern.ts'

/** Terms of a selector at most, and how deep they may be nested. */
export const MAX_SELECTOR_TERMS = 10_000
export const MAX_SELECTOR_DEPTH = 32

/**
 * Which machines of a fleet. `machine`: by id, name or hostname, where `*` stands for any characters and `?` for one.
 * `label`: its value fits one of these patterns; where there is no such label, only the negation fits.
 */
export type Selector =
  | { readonly machine: string }
  | { readonly label: string; readonly in: readonly string[] }
  | { readonly all: readonly Selector[] }
  | { readonly any: readonly Selector[] }
  | { readonly not: Selector }

/** A machine as selectors see it. */
export interface SelectableMachine {
  readonly id: string
  readonly name: string
  readonly hostname: string
  readonly labels: Labels
}

const pattern = z.string().min(1).max(255)

/** {@link Selector} on the wire: bounded in size and depth. */
export const Selector: z.ZodType<Selector> = z
  .unknown()
  .refine((value) => isBounded(value), 'Expected a selector of bounded size.')
  .pipe(z.lazy(() => Term))

const Term: z.ZodType<Selector> = z.union([
  z.strictObject({ machine: pattern }),
  z.strictObject({ label: z.string().min(1).max(63), in: z.array(z.string().max(255)).min(1) }),
  z.strictObject({ all: z.array(z.lazy(() => Term)) }),
  z.strictObject({ any: z.array(z.lazy(() => Term)) }),
  z.strictObject({ not: z.lazy(() => Term) }),
])

/** Whether the machine is one of those. */
export function selects(selector: Selector, machine: SelectableMachine): boolean {
  if ('machine' in selector)
    return (
      machine.id === selector.machine || [machine.name, machine.hostname].some((name) => fits(selector.machine, name))
    )
  if ('label' in selector) {
    const value = Object.hasOwn(machine.labels, selector.label) ? machine.labels[selector.label] : undefined
    return value !== undefined && selector.in.some((each) => fits(each, value))
  }
  if ('not' in selector) return !selects(selector.not, machine)
  return 'all' in selector
    ? selector.all.every((each) => selects(each, machine))
    : selector.any.some((each) => selects(each, machine))
}

/** A pattern without `*` and `?` is one machine, which has to be there. */
export function isPattern(name: string): boolean {
  return /[*?]/.test(name)
}

function fits(given: string, name: string): boolean {
  return given === name || (isPattern(given) && fitsPattern(given, name))
}

/** Counted without recursion, so that no depth is too much for the stack. */
function isBounded(value: unknown): boolean {
  const rest: [value: unknown, depth: number][] = [[value, 0]]
  for (let count = 0; rest.length > 0; count += 1) {
    const [next, depth] = rest.pop() ?? [null, 0]
    if (count > MAX_SELECTOR_TERMS || depth > 2 * MAX_SELECTOR_DEPTH) return false
    if (typeof next !== 'object' || next === null) continue
    for (const inner of Object.values(next)) rest.push([inner, depth + 1])
  }
  return true
}
