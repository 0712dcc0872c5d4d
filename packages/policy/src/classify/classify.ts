import { type SimpleCommand, type Word, valueOf } from '../parse/simple-command.ts'
import { programName } from '../unwrap/program-name.ts'
import { checkAssignment } from './assignments.ts'
import { type Verdict, READS, unclear, worst } from './command-class.ts'
import { checkRedirection } from './redirections.ts'
import { commandTable } from './tables/all.ts'

/** Builtins with which a shell looks at a word a second time, or sets variables. */
const EVALUATING = new Set(
  'test [ printf read let declare local typeset export readonly unset getopts wait mapfile readarray shift set'.split(
    ' ',
  ),
)
const SETTING = new Set(['read', 'mapfile', 'readarray', 'getopts', 'wait', 'printf'])
const EXPORTING = new Set(['export', 'declare', 'typeset', 'local', 'readonly'])

/** What a simple command does, and why. The worst of its program, its variables and its redirections. */
export function classifyCommand(command: SimpleCommand): Verdict {
  const verdicts = [classifyProgram(command), ...command.redirections.map(checkRedirection)]
  for (const assignment of command.assignments) verdicts.push(checkAssignment(assignment, command.words.length > 0))
  return worst(verdicts)
}

function classifyProgram(command: SimpleCommand): Verdict {
  const { words, wrapper } = command
  if (words.length === 0) return READS
  if (wrapper?.unknown !== undefined) return unclear(`runs something that is not known: ${wrapper.unknown}`)
  const name = programName(command)
  if (name === undefined) return unclear('has a name that is not known before it runs')
  const others = words.slice(1)
  if (wrapper !== undefined && name !== 'find' && name !== 'gfind') return READS
  if (EVALUATING.has(name)) {
    const evaluated = checkBuiltin(name, others)
    if (evaluated !== undefined) return evaluated
  }
  const check = Object.hasOwn(commandTable, name) ? commandTable[name] : undefined
  return check?.(others, command) ?? unclear('is not a command that is known')
}

function checkBuiltin(name: string, words: readonly Word[]): Verdict | undefined {
  if (words.some((word) => /\$\(|`/.test(valueOf(word) ?? '')))
    return unclear('has a word that a shell may run when it looks at it again')
  // `test -v "$name"` counts with what is in the brackets of a name.
  const isEvaluating = !['export', 'unset', 'shift', 'printf', 'read', '[', 'test', 'set'].includes(name)
  const isByName = words.some((word) => /^-[vV]$/.test(valueOf(word) ?? '')) || isEvaluating
  if (isByName && words.some(({ values, start }) => values === undefined && !/^[A-Za-z_]\w*\+?=/.test(start)))
    return unclear('has a word that a shell may run when it looks at it again')
  if (name === 'set' && words.some((word) => /^-[a-z]*[ax]|^allexport$|^xtrace$/.test(valueOf(word) ?? '-a')))
    return unclear('may export every variable')
  if ((name === '[' || name === 'test') && mayNameOperator(words))
    return unclear('has a word that may be -v, with which a shell may run what comes after it')
  if (name === 'let') return unclear('counts with variables, in which a shell may run something')
  if (SETTING.has(name) && !(name === 'printf' && !isByName)) return settingVerdict(words)
  if (!EXPORTING.has(name)) return undefined
  const exported = words.flatMap((word) => {
    const text = valueOf(word) ?? word.start
    const [, variable] = /^([A-Za-z_]\w*)\+?(?:=|$)/.exec(text) ?? []
    return variable === undefined ? [] : [checkAssignment({ name: variable, value: undefined }, name === 'export')]
  })
  const isExporting = words.some((word) => /^-[a-zA-Z]*[xnia]/.test(valueOf(word) ?? ''))
  return worst([...exported, ...(isExporting ? [unclear('exports variables, or counts with them')] : [])])
}

const OPERATOR = /^(?:[=<>]|[!=]=|-(?:eq|ne|lt|le|gt|ge|nt|ot|ef|a|o)|\]|\))$/

/** Whether a word of a test that is not known may be an operator, or bring one along. */
function mayNameOperator(words: readonly Word[]): boolean {
  return words.some((word, index) => {
    if (word.values !== undefined) return false
    const next = words[index + 1]
    return word.splits || (next !== undefined && !OPERATOR.test(valueOf(next) ?? ''))
  })
}

/** Builtins that set the variables which they are given. */
function settingVerdict(words: readonly Word[]): Verdict | undefined {
  const names = words.map((word) => valueOf(word) ?? '?').filter((text) => !text.startsWith('-'))
  const isPlain = names.every((text) => !text.includes('['))
  const verdict = worst(names.map((name) => checkAssignment({ name, value: undefined }, false)))
  if (verdict.class !== 'read') return verdict
  return isPlain ? undefined : unclear('has a word that a shell may run when it looks at it again')
}
