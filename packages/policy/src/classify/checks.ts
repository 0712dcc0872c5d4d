import { type Word, mayBeOption, valueOf } from '../parse/simple-command.ts'
import { namesOf, type OptionTable, readLeading } from '../unwrap/options.ts'
import { type Check, type Verdict, READS, changes, deletes, unclear } from './command-class.ts'

/** Names of commands with their checks. */
export type CheckTable = Readonly<Record<string, Check>>

/** Reads, whatever its options are. */
export const reads: Check = () => READS

/** The same check for several names. */
export function each(names: string, check: Check): CheckTable {
  return Object.fromEntries(Array.from(namesOf(names), (name) => [name, check]))
}

/** Changes something, whatever its options are. */
export function alwaysChanges(reason: string): Check {
  const verdict = changes(reason)
  return () => verdict
}

/** Deletes something, whatever its options are. */
export function alwaysDeletes(reason: string): Check {
  const verdict = deletes(reason)
  return () => verdict
}

/** Options that make a reading command something else: `o` is `-o`, longer names are `--name`. */
export interface Exceptions {
  readonly except: ReadonlySet<string>
  /** Options with a value, which is not an option itself. */
  readonly values: ReadonlySet<string>
}

/** Reads, unless one of these options is given. `values`: the options that take a value. */
export function readsExcept(except: string, values = '', otherwise: Verdict = unclear('may do more than read')): Check {
  const exceptions = { except: namesOf(except), values: namesOf(values) }
  return (words) => {
    const found = findException(words, exceptions)
    if (found === undefined) return READS
    return 'option' in found ? { ...otherwise, reason: `${otherwise.reason}, with ${found.option}` } : found.verdict
  }
}

/** Reads with no other options than these. */
export function readsOnlyWith(flags: string, values = '', maximum = Number.POSITIVE_INFINITY): Check {
  const table = { flags: namesOf(flags), values: namesOf(values) }
  return (words) => {
    let left = words
    let operands = 0
    while (left.length > 0) {
      const { rest, unknown } = readLeading(left, table)
      if (unknown !== undefined) return unclear(`is not known with these words: ${unknown}`)
      operands += Math.min(rest.length, 1)
      left = rest.slice(1)
    }
    return operands > maximum ? unclear('is not known with these words') : READS
  }
}

/** The first option that is an exception, or why there may be one. */
export function findException(
  words: readonly Word[],
  { except, values }: Exceptions,
): { readonly option: string } | { readonly verdict: Verdict } | undefined {
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] as Word
    const text = valueOf(word)
    if (text === undefined) {
      if (word.splits || mayBeOption(word)) return { verdict: unclear(`is not known: ${word.text} may be an option`) }
      continue
    }
    if (text === '--') return undefined
    if (!text.startsWith('-') || text === '-') continue
    const option = exceptionIn(text, except, values)
    if (option !== undefined) return { option }
    if (!takesNext(text, values)) continue
    const next = words[index + 1]
    if (next?.splits === true) return { verdict: unclear(`is not known: ${next.text} may be several words`) }
    index += 1
  }
  return undefined
}

/** Long options may be abbreviated, short ones stand in bundles up to one that takes a value. */
function exceptionIn(text: string, except: ReadonlySet<string>, values: ReadonlySet<string>): string | undefined {
  if (text.startsWith('--')) {
    const name = text.slice(2).split('=', 1)[0] ?? ''
    if (except.has(name)) return `--${name}`
    if (values.has(name)) return undefined
    for (const long of except) if (long.length > 1 && long.startsWith(name)) return `--${long}`
    return undefined
  }
  for (let index = 1; index < text.length; index += 1) {
    const letter = text[index] as string
    if (except.has(letter)) return `-${letter}`
    if (values.has(letter)) return undefined
  }
  // Some programs take a long name after one dash.
  const name = text.slice(1).split('=', 1)[0] ?? ''
  return name.length > 1 && except.has(name) ? `-${name}` : undefined
}

function takesNext(text: string, values: ReadonlySet<string>): boolean {
  if (text.startsWith('--')) return values.has(text.slice(2))
  for (let index = 1; index < text.length; index += 1)
    if (values.has(text[index] as string)) return index === text.length - 1
  return values.has(text.slice(1))
}

/** A program with commands of its own. */
export interface Tool {
  /** Its options before the command; with any other nobody knows. */
  readonly options?: OptionTable
  readonly commands: CheckTable
  /** What it does without a command. */
  readonly alone?: Check
}

/** Decides by the command within a program: `git log`, `docker image ls`. */
export function tool({ options = { flags: new Set(), values: new Set() }, commands, alone = reads }: Tool): Check {
  return (words, command) => {
    const { rest, unknown } = readLeading(words, options)
    if (unknown !== undefined) return unclear(`is not known with these words: ${unknown}`)
    const [first, ...others] = rest
    if (first === undefined) return alone([], command)
    const name = valueOf(first)
    if (name === undefined) return unclear(`is not known: ${first.text} says what it does`)
    const check = Object.hasOwn(commands, name) ? commands[name] : undefined
    return check?.(others, command) ?? unclear(`has a command ${name} that is not known`)
  }
}
