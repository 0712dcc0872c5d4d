import { type Word, mayBeOption, valueOf } from '../parse/simple-command.ts'
import { MAY_BE_OPTION, type OptionTable, namesOf, readLeading } from '../unwrap/options.ts'
import { type Check, type Verdict, READS, changes, deletes, unclear } from './command-class.ts'

/** Names of commands with their checks. */
export type CheckTable = Readonly<Record<string, TableCheck>>

/** A check, and those of the commands within a program, for whoever goes through them all. */
export type TableCheck = Check & { readonly commands?: CheckTable }

/** Reads, whatever is said to it: only for what has no option and no operand that does more. */
export const reads: Check = () => READS

/** The same check for several names. */
export function each(names: string, check: TableCheck): CheckTable {
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

/** What may stand beside the options of a command that reads. */
export interface Operands {
  /** At most so many. */
  readonly maximum?: number
  /** Each is known, and fits. */
  readonly like?: RegExp
  /** One of these options has to be given. */
  readonly needs?: string
  /** What it is otherwise. */
  readonly otherwise?: Verdict
}

/** A command line without its options. */
export interface Given {
  /** Options that are given, without dashes. */
  readonly options: ReadonlySet<string>
  readonly operands: readonly Word[]
}

const UNKNOWN_WORDS = unclear('is not known with these words')

/**
 * Reads with these options and with no others, not even shortened ones: `-ab` are two without a value, `-n=` and `--name=` take one,
 * `-I?` may have one attached, `-#` stands for numbers. `--name` takes one that is attached, too.
 */
export function readsWith(list: string, limits: Operands = {}): Check {
  const table = optionsOf(list)
  const needed = limits.needs === undefined ? undefined : namesOf(limits.needs)
  return (words) => {
    const given = readAll(words, table, limits.maximum !== undefined)
    if ('class' in given) return limits.otherwise?.class === 'change' ? limits.otherwise : given
    const { options, operands } = given
    const isFitting =
      operands.length <= (limits.maximum ?? Number.POSITIVE_INFINITY) &&
      (needed === undefined || [...needed].some((name) => options.has(name))) &&
      (limits.like === undefined || operands.every((word) => fits(word, limits.like as RegExp)))
    return isFitting ? READS : (limits.otherwise ?? UNKNOWN_WORDS)
  }
}

/** A table from a list as {@link readsWith} takes it. */
export function optionsOf(list: string): OptionTable {
  const [flags, values, attached] = [new Set<string>(), new Set<string>(), new Set<string>()]
  for (const token of namesOf(list)) {
    const name = token.replace(/[=?]$/, '')
    const set = token.endsWith('=') ? values : token.endsWith('?') ? attached : flags
    for (const one of name.startsWith('--') ? [name.slice(2)] : name.slice(1))
      for (const letter of one === '#' ? '0123456789' : [one]) set.add(letter)
  }
  return { flags, values, attached }
}

/** Every option and operand of a command line, or why they cannot be told apart. `leading`: options may only stand before operands. */
export function readAll(words: readonly Word[], table: OptionTable, leading = false): Given | Verdict {
  const options = new Set<string>()
  const operands: Word[] = []
  let left = words
  while (left.length > 0) {
    const { options: given, rest, isEnded, unknown } = readLeading(left, table)
    if (unknown !== undefined) return unclear(`is not known with these words: ${unknown}`)
    for (const { name } of given) options.add(name)
    operands.push(...rest.slice(0, isEnded || leading ? rest.length : 1))
    if (isEnded || leading) break
    left = rest.slice(1)
  }
  if (operands.some(({ splits }) => splits)) return unclear(`is not known with these words: ${MAY_BE_OPTION}`)
  return { options, operands }
}

/** Reads with these words alone, and at least one of them. */
export function readsOnly(pattern: RegExp, otherwise: Verdict = UNKNOWN_WORDS): Check {
  return (words) => (words.length > 0 && words.every((word) => fits(word, pattern)) ? READS : otherwise)
}

/** Reads with options of one dash and a whole word: `flags`, and `values` whose next word is a value. */
export function readsWithWords(flags: string, values = '', operands = 0): Check {
  const [flagTable, valueTable] = [namesOf(flags), namesOf(values)]
  return (words) => {
    let found = 0
    for (let index = 0; index < words.length; index += 1) {
      const word = words[index] as Word
      const text = valueOf(word)
      if (word.splits || (text === undefined && mayBeOption(word))) return unclear(`is not known: ${MAY_BE_OPTION}`)
      if (text?.startsWith('-') !== true || text === '-') found += 1
      else if (valueTable.has(text.slice(1))) {
        if (words[(index += 1)]?.splits !== false) return UNKNOWN_WORDS
      } else if (!flagTable.has(text.slice(1))) return UNKNOWN_WORDS
    }
    return found <= operands ? READS : UNKNOWN_WORDS
  }
}

function fits(word: Word, pattern: RegExp): boolean {
  return word.values?.every((value) => pattern.test(value)) === true
}

/** Whether a word is not known, so that it may be any option. */
export function hasUnknown(words: readonly Word[]): boolean {
  return words.some((word) => valueOf(word) === undefined && (word.splits || mayBeOption(word)))
}

/** Whether one of these options is given, also shortened or in a bundle. */
export function hasOption(words: readonly Word[], names: string): boolean {
  const wanted = namesOf(names)
  return words.some((word) => {
    const text = valueOf(word)
    if (text?.startsWith('-') !== true) return false
    if (!text.startsWith('--')) return Array.from(text.slice(1)).some((letter) => wanted.has(letter))
    const name = text.slice(2).split('=', 1)[0] ?? ''
    return name !== '' && [...wanted].some((long) => long.length > 1 && long.startsWith(name))
  })
}

/** What something else is with one of these options. */
export function withOption(names: string, special: Verdict, check: Check): Check {
  return (words, command) => {
    if (hasOption(words, names)) return special
    return hasUnknown(words) ? unclear(`is not known with these words: ${MAY_BE_OPTION}`) : check(words, command)
  }
}

/** A program with commands of its own. */
export interface Tool {
  /** Its options before the command; with any other nobody knows. */
  readonly options?: string
  readonly commands: CheckTable
  /** What it does without a command; several read commands then. */
  readonly alone?: Check
}

const readsCommands: Check = () => unclear('may read commands, and run them')

/** Decides by the command within a program: `git log`, `docker image ls`. */
export function tool({ options = '', commands, alone = readsCommands }: Tool): TableCheck {
  const table = optionsOf(options)
  const check: Check = (words, command) => {
    const { rest, unknown } = readLeading(words, table)
    if (unknown !== undefined) return unclear(`is not known with these words: ${unknown}`)
    const [first, ...others] = rest
    if (first === undefined) return alone([], command)
    const name = valueOf(first)
    if (name === undefined) return unclear('is not known: its command is not known before it runs')
    const found = Object.hasOwn(commands, name) ? commands[name] : undefined
    return found?.(others, command) ?? unclear('has a command that is not known')
  }
  return Object.assign(check, { commands })
}
