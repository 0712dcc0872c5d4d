import type { Word as ShellWord, WordPart } from 'unbash'
import type { Word } from './simple-command.ts'

/** Variables whose value is known where they are used: of loops over words, and set once at the beginning. */
export type KnownVariables = ReadonlyMap<string, readonly string[]>

/** Texts that no shell splits or expands once more. */
const PLAIN = /^[\w@%+=:,./-]+$/

/** A word of a shell as a program gets it. */
export function resolveWord(word: ShellWord, variables: KnownVariables): Word {
  const { text, parts } = word
  if (text.startsWith('~')) return { text, values: undefined, start: '~', splits: false }
  if (parts?.length === 1 && parts[0]?.type === 'ProcessSubstitution')
    return { text, values: undefined, start: '/dev/fd/', splits: false, isProcess: true }
  if (parts === undefined) return { text, values: [word.value], start: word.value, splits: false }
  let values: readonly string[] | undefined = ['']
  let start = ''
  let splits = false
  for (const part of parts) {
    const piece = resolvePart(part, variables)
    splits ||= piece.splits
    if (values !== undefined && values.length === 1) start = `${values[0] ?? ''}${piece.start}`
    values = joined(values, piece.values)
  }
  return { text, values, start, splits: splits && values === undefined }
}

/** Whether texts may stand for a variable without quotes. */
export function arePlain(values: readonly string[]): boolean {
  return values.every((value) => PLAIN.test(value))
}

interface Piece {
  readonly values: readonly string[] | undefined
  readonly start: string
  readonly splits: boolean
}

const UNKNOWN_SPLIT: Piece = { values: undefined, start: '', splits: true }
const UNKNOWN_SINGLE: Piece = { values: undefined, start: '', splits: false }

function resolvePart(part: WordPart, variables: KnownVariables): Piece {
  const { type } = part
  if (type === 'Literal' || type === 'SingleQuoted' || type === 'AnsiCQuoted') return known(part.value)
  if (type === 'DoubleQuoted' || type === 'LocaleString') return resolveQuoted(part.parts, variables)
  // A number.
  if (part.text === '$?' || part.text === '$#' || part.text === '$$') return UNKNOWN_SINGLE
  if (type === 'SimpleExpansion') return variable(part.text.slice(1), variables) ?? UNKNOWN_SPLIT
  if (type === 'ParameterExpansion') return variable(part.text.slice(2, -1), variables) ?? UNKNOWN_SPLIT
  if (type === 'CommandExpansion') return UNKNOWN_SPLIT
  if (type === 'ProcessSubstitution') return { values: undefined, start: '/dev/fd/', splits: false }
  // Arithmetic is one word. A glob or a brace may become several, but all begin with what stands before it.
  return UNKNOWN_SINGLE
}

function resolveQuoted(parts: readonly WordPart[], variables: KnownVariables): Piece {
  let values: readonly string[] | undefined = ['']
  let start = ''
  let splits = false
  for (const part of parts) {
    const piece = resolvePart(part, variables)
    if (values !== undefined && values.length === 1) start = `${values[0] ?? ''}${piece.start}`
    values = joined(values, piece.values)
    // "$@" is as many words as there are.
    splits ||= piece.values === undefined && /^\$(\{?@|\{[^}]*\[@\])/.test(part.text)
  }
  return { values, start, splits }
}

function known(value: string): Piece {
  return { values: [value], start: value, splits: false }
}

function variable(name: string, variables: KnownVariables): Piece | undefined {
  const values = variables.get(name)
  return values === undefined ? undefined : { values, start: '', splits: false }
}

/** Every way to put two together; not known once there are many. */
function joined(before: readonly string[] | undefined, after: readonly string[] | undefined) {
  if (before === undefined || after === undefined) return undefined
  if (before.length * after.length > 64) return undefined
  if (before.length === 1 && after.length === 1) return [`${before[0] ?? ''}${after[0] ?? ''}`]
  return before.flatMap((left) => after.map((right) => left + right))
}
