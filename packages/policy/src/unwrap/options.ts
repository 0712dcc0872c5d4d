import { type Word, mayBeOption, valueOf } from '../parse/simple-command.ts'

/** Which options a program takes, as far as somebody has to know: `a` is `-a`, longer names are `--name`. */
export interface OptionTable {
  /** Options without a value. */
  readonly flags: ReadonlySet<string>
  /** Options with one. */
  readonly values: ReadonlySet<string>
  /** Short options whose value, if any, is attached: what comes after the letter is no option. */
  readonly attached?: ReadonlySet<string>
}

/** An option that was given. */
export interface GivenOption {
  /** Without dashes. */
  readonly name: string
  readonly value: Word | undefined
}

/** A command line up to its first operand. */
export interface Leading {
  readonly options: readonly GivenOption[]
  /** What comes after the options. */
  readonly rest: readonly Word[]
  /** Whether a `--` says that all of that are operands. */
  readonly isEnded: boolean
  /** What is not in the table; undefined: all is. */
  readonly unknown: string | undefined
}

/** A table from two lists of names. */
export function optionTable(flags: string, values = ''): OptionTable {
  return { flags: namesOf(flags), values: namesOf(values) }
}

/** The names of a list with blanks between them. */
export function namesOf(list: string): ReadonlySet<string> {
  return new Set(list.split(' ').filter((name) => name !== ''))
}

/** Reads options up to the first operand, as programs do that run what comes after it. */
export function readLeading(words: readonly Word[], table: OptionTable): Leading {
  const options: GivenOption[] = []
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] as Word
    const text = valueOf(word)
    if (text === undefined) {
      const unknown = mayBeOption(word) || word.splits ? MAY_BE_OPTION : undefined
      return { options, rest: words.slice(index), isEnded: false, unknown }
    }
    if (text === '--') return { options, rest: words.slice(index + 1), isEnded: true, unknown: undefined }
    if (!text.startsWith('-') || text === '-')
      return { options, rest: words.slice(index), isEnded: false, unknown: undefined }
    const read = readOption(text, words[index + 1], table)
    options.push(...read.options)
    if (read.unknown) {
      const unknown = `its option ${optionName(text)} is not known`
      return { options, rest: words.slice(index + 1), isEnded: false, unknown }
    }
    if (read.takesNext) index += 1
    if (read.takesNext && words[index]?.splits === true)
      return { options, rest: words.slice(index), isEnded: false, unknown: 'one of its words may be several' }
  }
  return { options, rest: [], isEnded: false, unknown: undefined }
}

/** Why a word that is not known is none that may stand there. */
export const MAY_BE_OPTION = 'one of its words may be an option'

/** An option as a person may be told of it: without what may be a secret, attached to it. */
export function optionName(text: string): string {
  return text.startsWith('--') ? (text.split('=', 1)[0] ?? '') : text.slice(0, 2)
}

interface ReadOption {
  readonly options: readonly GivenOption[]
  readonly takesNext: boolean
  readonly unknown: boolean
}

function readOption(text: string, next: Word | undefined, { flags, values, attached: open }: OptionTable): ReadOption {
  if (text.startsWith('--')) {
    const [name = '', ...attached] = text.slice(2).split('=')
    const value = attached.length > 0 ? attachedWord(attached.join('=')) : undefined
    // One letter after two dashes is a long option that is shortened.
    if (name.length < 2) return { options: [], takesNext: false, unknown: true }
    if (flags.has(name)) return { options: [{ name, value }], takesNext: false, unknown: false }
    if (!values.has(name)) return { options: [], takesNext: false, unknown: true }
    return { options: [{ name, value: value ?? next }], takesNext: value === undefined, unknown: false }
  }
  const options: GivenOption[] = []
  for (let index = 1; index < text.length; index += 1) {
    const name = text[index] as string
    if (open?.has(name) === true) {
      const value = attachedWord(text.slice(index + 1))
      return { options: [...options, { name, value }], takesNext: false, unknown: false }
    }
    if (values.has(name)) {
      const attached = text.slice(index + 1)
      const value = attached === '' ? next : attachedWord(attached)
      return { options: [...options, { name, value }], takesNext: attached === '', unknown: value === undefined }
    }
    if (!flags.has(name)) return { options, takesNext: false, unknown: true }
    options.push({ name, value: undefined })
  }
  return { options, takesNext: false, unknown: false }
}

function attachedWord(text: string): Word {
  return { text, values: [text], start: text, splits: false }
}
