import { type Word, valueOf } from '../../parse/simple-command.ts'
import { optionTable, readLeading } from '../../unwrap/options.ts'
import { type Verdict, READS, changes, unclear, worst } from '../command-class.ts'

const options = optionTable(
  'n E r s u z posix quiet silent regexp-extended separate unbuffered null-data debug',
  'e expression',
)

/** `sed` reads, unless it edits files in place, or its script writes or runs something. */
export function checkSed(words: readonly Word[]): Verdict {
  const texts = words.map(valueOf)
  if (texts.some((text) => /^(?:-[nErsuz]*i|--in)/.test(text ?? ''))) return changes('edits files in place')
  const scripts: (Word | undefined)[] = []
  const operands: Word[] = []
  let left = words
  while (left.length > 0) {
    const { options: given, rest, unknown } = readLeading(left, options)
    if (unknown !== undefined) return unclear(`is not known with these words: ${unknown}`)
    for (const { name, value } of given) if (name === 'e' || name === 'expression') scripts.push(value)
    operands.push(...rest.slice(0, 1))
    left = rest.slice(1)
  }
  if (scripts.length === 0) scripts.push(operands[0])
  return worst(scripts.map((script) => checkScript(valueOf(script))))
}

const UNKNOWN = unclear('has a script that may write or run something')

/** What stands before a command: nothing, or up to two addresses. A slash in brackets ends a pattern for some, so none may be. */
const ADDRESS = String.raw`(?:\d+(?:~\d+)?|\$|\/(?:[^/\\\n[]|\\[^\n]|\[[^\]/\n]*\])*\/[IM]*)`
const BEFORE = new RegExp(String.raw`^[\s;{}]*(?:${ADDRESS}(?:\s*,\s*(?:${ADDRESS}|[+~]\d+))?)?\s*!?\s*`)

/** Goes through a script command by command; whatever it does not know, it does not let through. */
function checkScript(script: string | undefined): Verdict {
  if (script === undefined) return unclear('has a script that is not known')
  let left = script
  while (left.trim() !== '') {
    left = left.slice(BEFORE.exec(left)?.[0].length ?? 0)
    const command = left[0]
    if (command === undefined) return READS
    const after = /[={}dDgGhHnNpPqQxzlF]/.test(command) ? /^[^\S\n]*\d*/.exec(left.slice(1))?.[0].length : undefined
    if (after !== undefined) left = left.slice(1 + after)
    else if (command === '#') left = left.slice(/^[^\n]*/.exec(left)?.[0].length ?? 1)
    else if (/[btT:]/.test(command)) left = left.slice(/^. *\w*/.exec(left)?.[0].length ?? 1)
    else if (command === 's' || command === 'y') {
      const rest = afterSubstitution(left)
      if (rest === undefined) return UNKNOWN
      left = rest
    } else return UNKNOWN
    if (command !== '{' && left !== '' && !/^[\s;}]/.test(left)) return UNKNOWN
  }
  return READS
}

/** What comes after `s/a/b/g`; undefined when it writes, runs, or cannot be told. */
function afterSubstitution(text: string): string | undefined {
  const mark = text[1]
  if (mark === undefined || /[\s\w\\;{}[\]]/.test(mark)) return undefined
  let marks = 0
  let inBrackets = false
  for (let index = 2; index < text.length; index += 1) {
    if (text[index] === '\\') index += 1
    else if (text[index] === '[') inBrackets = true
    else if (text[index] === ']') inBrackets = false
    // Within brackets it ends the pattern for one sed, and not for the next.
    else if (text[index] === mark && inBrackets) return undefined
    else if (text[index] === mark && (marks += 1) === 2) {
      const rest = text.slice(index + 1)
      return rest.slice(/^[gpiI\d]*/.exec(rest)?.[0].length ?? 0)
    }
  }
  return undefined
}
