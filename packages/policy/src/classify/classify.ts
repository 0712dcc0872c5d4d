import type { SimpleCommand } from '../parse/simple-command.ts'
import { programName } from '../unwrap/program-name.ts'
import { checkAssignment } from './assignments.ts'
import { type Verdict, READS, unclear, worst } from './command-class.ts'
import { checkRedirection } from './redirections.ts'
import { commandTable } from './tables/all.ts'

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
  if (wrapper !== undefined && name !== 'find' && name !== 'gfind') return READS
  const check = Object.hasOwn(commandTable, name) ? commandTable[name] : undefined
  return check?.(words.slice(1), command) ?? unclear('is not a command that is known')
}
