import { type Word, valueOf } from '../../parse/simple-command.ts'
import { optionTable, readLeading } from '../../unwrap/options.ts'
import { type Verdict, READS, unclear } from '../command-class.ts'

const options = optionTable('', 'F v')

/** What runs or loads something, wherever it stands: a text is not told from code here. */
const RUNS = /system\s*\(|\|&?\s*getline|\|&|@\s*[a-z_"]/i

/** `awk` reads while its program prints to nowhere else and runs nothing. */
export function checkAwk(words: readonly Word[]): Verdict {
  const { rest, unknown } = readLeading(words, options)
  if (unknown !== undefined) return unclear(`is not known with these words: ${unknown}`)
  if (rest.slice(1).some((word) => /^-./.test(valueOf(word) ?? '')))
    return unclear('is not known with these words: an option may stand after its program')
  const program = valueOf(rest[0])
  if (program === undefined) return unclear('runs a program that is not known')
  if (RUNS.test(program)) return unclear('has a program that may run something')
  return printsElsewhere(program) ? unclear('has a program that may write or run something') : READS
}

/** After these a slash may divide, or begin a pattern. */
const AMBIGUOUS =
  /^(?:[)$/]|(?:\+\+|--|else|do|length|in|exit|case|getline|delete|next|nextfile|function|func|while|if|for)$)/

const CONTINUED = /^(?:[,?:]|&&|\|\|)$/

/** Whether a `print` goes to a file or a command: `>` and `|` in it, outside of brackets, texts and patterns. */
function printsElsewhere(program: string): boolean {
  let isPrint = false
  let depth = 0
  let canBePattern = true
  let before = ''
  for (let index = 0; index < program.length;) {
    if (program[index] === '/' && AMBIGUOUS.test(before) && /[">|]/.test(program.slice(index))) return true
    const token = nextToken(program, index, canBePattern)
    if (token === undefined || token === '\\') return true
    index += token.length
    if (token.startsWith('#') || (/^\s+$/.test(token) && !token.includes('\n'))) continue
    // Within brackets, and after a comma, the next line belongs to this one.
    if (token.includes('\n') && (depth > 0 || CONTINUED.test(before))) continue
    const isOpening = token === '(' || token === '['
    if (isOpening) depth += 1
    if (token === ')' || token === ']') depth -= 1
    if (/^print(?:f)?$/.test(token)) [isPrint, depth] = [true, 0]
    if (token === ';' || token === '}' || token === '{' || token.includes('\n')) isPrint = false
    if (isPrint && depth <= 0 && /^[>|]/.test(token) && token !== '||') return true
    if (token === '|') return true
    before = token
    canBePattern = !/^(?:[\w.)\]$"'/]|\+\+|--)/.test(token) || /^(?:print|printf|return)$/.test(token)
  }
  return false
}

/** The next token; undefined where the program is broken, or not to be told. */
function nextToken(program: string, start: number, canBePattern: boolean): string | undefined {
  const character = program[start] as string
  if (character === '"') return closed(program, start, '"')
  if (character === '/' && canBePattern) return closed(program, start, '/')
  if (character === '#') return /^#[^\n]*/.exec(program.slice(start))?.[0]
  const [token] = /^(?:\s+|\w+|\|\||&&|\+\+|--|>>|>=|<=|==|!=|[^\s\w])/.exec(program.slice(start, start + 4096)) ?? []
  return token
}

/** A text or pattern up to its end, on one line; undefined too where a slash may be within brackets, which end a pattern for some. */
function closed(program: string, start: number, end: string): string | undefined {
  let brackets = 0
  for (let index = start + 1; index < program.length; index += 1) {
    if (program[index] === '\\') index += 1
    else if (program[index] === '\n') return undefined
    else if (program[index] === end) return brackets > 0 ? undefined : program.slice(start, index + 1)
    else if (end === '/' && program[index] === '[') {
      if (/^\[\^?\]/.test(program.slice(index, index + 3))) return undefined
      brackets += 1
    } else if (end === '/' && program[index] === ']' && brackets > 0) brackets -= 1
  }
  return undefined
}
