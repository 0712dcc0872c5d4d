import { type Word, valueOf } from '../../parse/simple-command.ts'
import { checkAssignment } from '../assignments.ts'
import { type CheckTable, each, optionsOf, readAll } from '../checks.ts'
import { type Check, type Verdict, READS, unclear, worst } from '../command-class.ts'

const AGAIN = unclear('has a word that a shell may run when it looks at it again')

/** What a shell evaluates when it takes a word for the name of a variable: `a[$(reboot)]`. */
const EVALUATED = /\$\(|`|\[/

/**
 * Builtins that set variables by name, or look at a word a second time. bash counts with what is in the brackets of a name, and runs
 * what it finds there: a word with brackets, or one that is not known, is asked about.
 */
export const builtinTable: CheckTable = {
  ...each('test [', checkTest),
  printf: checkPrintf,
  read: settingBy('-res -pdinNtu='),
  ...each('mapfile readarray', settingBy('-t -dnsu=')),
  getopts: settingBy('', 1),
  unset: settingBy('-fv'),
  ...each('declare typeset local', checkDeclare('-gprfFlut')),
  ...each('export', checkDeclare('-p', true)),
  ...each('readonly', checkDeclare('-pf')),
  set: checkSet,
  shift: ([count, ...others]) =>
    others.length === 0 && (count === undefined || /^\d+$/.test(valueOf(count) ?? '')) ? READS : AGAIN,
  let: () => unclear('counts with variables, in which a shell may run something'),
}

/** Sets, or forgets, the variables that are its operands. `before`: operands before them. */
function settingBy(list: string, before = 0): Check {
  const options = optionsOf(list)
  return (words) => {
    const given = readAll(words, options, true)
    if ('class' in given) return given
    const names = given.operands.slice(before).map(valueOf)
    if (names.some((name) => !/^[A-Za-z_]\w*$/.test(name ?? ''))) return AGAIN
    return worst(names.map((name = '') => checkAssignment({ name, value: undefined }, false)))
  }
}

/** `NAME` or `NAME=value`; a value that is not known is one word, and stays a text. */
function checkDeclare(list: string, exported = false): Check {
  const options = optionsOf(list)
  return (words) => {
    const operands: Word[] = []
    for (const word of words) {
      const text = valueOf(word) ?? word.start
      const isOption = operands.length === 0 && text.startsWith('-')
      if (isOption && Array.from(text.slice(1)).some((letter) => !options.flags.has(letter)))
        return unclear('is not known with these options')
      if (!isOption) operands.push(word)
    }
    const verdicts = operands.map((word) => {
      const [, name, isSet] = /^([A-Za-z_]\w*)(\+?=)?/.exec(valueOf(word) ?? word.start) ?? []
      const isWhole = word.values !== undefined || isSet !== undefined
      if (name === undefined || !isWhole || EVALUATED.test(valueOf(word) ?? word.start)) return AGAIN
      if (word.values !== undefined && !/^\w+(?:\+?=|$)/.test(word.values[0] ?? '')) return AGAIN
      // A value in parentheses is a list, with keys that are counted with.
      if (/=\(/.test(word.text)) return AGAIN
      return checkAssignment({ name, value: undefined }, exported)
    })
    return worst(verdicts)
  }
}

const OPERATOR = /^(?:[=<>]|[!=]=|-(?:eq|ne|lt|le|gt|ge|nt|ot|ef|a|o)|\]|\))$/

/** A word of a test that is not known may be `-v`, or bring one along. */
function checkTest(...[words]: Parameters<Check>): Verdict {
  if (words.some((word) => valueOf(word) !== ']' && EVALUATED.test(valueOf(word) ?? word.start))) return AGAIN
  const byName = words.findIndex((word) => /^-[vR]$/.test(valueOf(word) ?? ''))
  if (byName >= 0 && !/^\w+$/.test(valueOf(words[byName + 1]) ?? '')) return AGAIN
  const mayName = words.some((word, index) => {
    if (word.values !== undefined) return false
    const next = words[index + 1]
    return word.splits || (next !== undefined && !OPERATOR.test(valueOf(next) ?? ''))
  })
  return mayName ? unclear('has a word that may be -v, with which a shell may run what comes after it') : READS
}

/** `-v` sets a variable, and a number is counted with by some shells. */
function checkPrintf(...[words]: Parameters<Check>): Verdict {
  const [format, ...others] = valueOf(words[0]) === '--' ? words.slice(1) : words
  const text = valueOf(format)
  if (text === undefined || text.startsWith('-')) return AGAIN
  const isText = !/%[^%]/.test(text.replaceAll(/%-?[\d.]*[sbq]/g, ''))
  return isText || others.every((word) => !EVALUATED.test(valueOf(word) ?? '[')) ? READS : AGAIN
}

function checkSet(...[words]: Parameters<Check>): Verdict {
  const end = words.findIndex((word) => valueOf(word) === '--')
  const before = end < 0 ? words : words.slice(0, end)
  const isPlain = before.every((word) =>
    /^(?:[-+](?:[efuCnEm]+|[efuCnEm]*o)|pipefail|errexit|nounset|noglob|noclobber)$/.test(valueOf(word) ?? ''),
  )
  return isPlain ? READS : unclear('may export or run more than is seen')
}
