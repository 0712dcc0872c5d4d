import { CmdopError } from '../errors.ts'
import { MAX_SKILL_INPUT_BYTES, type SkillTool } from './skill-manifest.ts'
import { schemaMisfits } from './skill-schema.ts'

/** A tool of a skill by its name. Throws `not_found`, with the names that there are. */
export function skillTool<Tool extends Pick<SkillTool, 'name'>>(
  { name, tools }: { readonly name: string; readonly tools: readonly Tool[] },
  tool: string,
): Tool {
  const found = tools.find((each) => each.name === tool)
  if (found !== undefined) return found
  const names = tools.map((each) => each.name).join(', ')
  const there = names === '' ? 'it has none' : `there are: ${names}`
  throw new CmdopError('not_found', `The skill ${name} has no tool ${tool.slice(0, 64)}; ${there}.`)
}

/** The command of a tool in the folder where its skill is, without its input. */
export function skillCommand({ argv }: Pick<SkillTool, 'argv'>, folder: string): string[] {
  return argv.map((word) => (word.startsWith('./') ? `${folder}/${word.slice(2)}` : word))
}

/** The input of a tool as the JSON that it reads. Throws `validation` for what does not fit its schema, or is too long. */
export function skillInput(
  skill: string,
  { name, input: schema }: Pick<SkillTool, 'name' | 'input'>,
  input: unknown,
): string {
  const issues = schemaMisfits(schema, input, 'the input')
  if (issues.length > 0)
    throw new CmdopError(
      'validation',
      `The input of ${skill} ${name} does not fit. ${issues.join('; ')}`.slice(0, 2000),
      {
        details: { issues },
      },
    )
  const json = JSON.stringify(input)
  if (new TextEncoder().encode(json).length > MAX_SKILL_INPUT_BYTES)
    throw new CmdopError('validation', `Expected at most ${MAX_SKILL_INPUT_BYTES} bytes of input for ${skill} ${name}.`)
  return json
}

/** What the program of a tool said. */
export interface SkillSaid {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
  /** Whether its standard output was longer than what is here of it. */
  readonly isCut?: boolean
}

/**
 * What a tool gave: a JSON object with `ok: true` and what its schema says, from a program that ended with 0. Throws `skill_failed`
 * for everything else; `details.reason` says which it was.
 */
export function skillOutput(
  skill: string,
  { name, output: schema }: Pick<SkillTool, 'name' | 'output'>,
  { exitCode, stdout, stderr, isCut = false }: SkillSaid,
): Record<string, unknown> {
  const value = isCut ? undefined : parsedObject(stdout)
  const details = { skill, tool: name, exitCode, stderr: stderr.slice(0, 2000) }
  const failed = (reason: string, message: string, more: object = {}) =>
    new CmdopError('skill_failed', `${skill} ${name}: ${message}`, { details: { ...details, reason, ...more } })
  if (isCut) throw failed('too_long', `It gave more on standard output than is taken in (exit code ${exitCode}).`)
  if (value === undefined)
    throw failed('no_json', `It gave no JSON object on standard output (exit code ${exitCode}).`, {
      stdout: stdout.slice(0, 2000),
    })
  if (value['ok'] !== true || exitCode !== 0) {
    const said = typeof value['error'] === 'string' ? value['error'].slice(0, 500) : 'It says that it failed'
    throw failed('not_ok', `${said} (exit code ${exitCode}).`, { output: value })
  }
  const issues = schemaMisfits(schema, value, 'the output')
  if (issues.length === 0) return value
  throw failed('schema', `Its output does not fit what it says of it. ${issues.join('; ')}`.slice(0, 1500), { issues })
}

function parsedObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}
