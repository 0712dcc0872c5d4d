import { parse } from 'unbash'
import { MAX_COMMAND_LENGTH, MAX_EXPANSIONS } from './limits.ts'
import type { ParsedCommand } from './simple-command.ts'
import { variablesSetOnce } from './variables.ts'
import { type Place, Walk } from './walk.ts'

/** The commands of a script, before programs that run others are looked into. */
export function parseScript(text: string, place: Place): ParsedCommand {
  const problem = tooMuch(text)
  if (problem !== undefined) return { commands: [], problem }
  try {
    const script = parse(text)
    const walk = new Walk(/\$/.test(text) ? variablesSetOnce(script) : new Set(), place)
    walk.script(script, place, true)
    return { commands: walk.found(), problem: walk.problem }
  } catch {
    // A parser that gives up is no reason to let a command through, nor to fail.
    return { commands: [], problem: 'the parser gave up on it' }
  }
}

/** Parsing takes a time that grows with the length, and faster with what is in each other; both are bounded. */
function tooMuch(text: string): string | undefined {
  if (text.length > MAX_COMMAND_LENGTH) return `it is longer than ${MAX_COMMAND_LENGTH} characters`
  if (text.includes('\0')) return 'there is a NUL in it'
  let expansions = 0
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    // $ ` ( { : everything that can hold something else.
    if (code === 36 || code === 96 || code === 40 || code === 123) expansions += 1
    // And << for a text, which is looked for in all that comes after.
    if (code === 60 && text.charCodeAt(index + 1) === 60) expansions += 1
  }
  return expansions > MAX_EXPANSIONS ? `there are more than ${MAX_EXPANSIONS} expansions in it` : undefined
}
