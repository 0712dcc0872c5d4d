import { isNode, LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { CmdopError } from '../errors.ts'
import { jsonSchemaValidator } from './json-schema-validator.ts'
import { SkillManifest } from './skill-manifest.ts'
import { MAX_SKILL_TEXT_BYTES, SKILL_FILE } from './skill-paths.ts'

/** What is wrong with a skill, and where. */
export const SkillIssue = z.object({
  path: z.string().describe('The file, from the folder of the skill'),
  line: z.number().int().min(1).optional().describe('The line in it, from 1; absent where it is about the whole file'),
  message: z.string().describe('What is wrong, in a sentence'),
})
export type SkillIssue = z.infer<typeof SkillIssue>

/** A `SKILL.md` that was read. */
export interface ParsedSkill {
  readonly manifest: SkillManifest
  /** What comes after the front matter. */
  readonly body: string
}

/** Issues that are told at most. */
const MAX_ISSUES = 50

/** Brackets that are open at once in the front matter at most. */
const MAX_NESTING = 64

/** Lists in lists, on one line. */
const COMPACT = /(?:[-?:][ \t]+){64}/

/** Reads a `SKILL.md`: YAML between two lines `---`, then Markdown. Gives what is wrong with it instead, and throws nothing. */
export function parseSkill(text: string): ParsedSkill | { readonly issues: readonly SkillIssue[] } {
  if (new TextEncoder().encode(text).length > MAX_SKILL_TEXT_BYTES)
    return {
      issues: [
        issue(`It is longer than ${MAX_SKILL_TEXT_BYTES} bytes; put what is not for everybody into files beside it.`),
      ],
    }
  const found = /^\uFEFF?---[ \t]*\r?\n([\s\S]*?)^---[ \t]*(?:\r?\n|$)/m.exec(text)
  if (found?.index !== 0)
    return { issues: [issue('Expected front matter: YAML between two lines of ---, first in the file.', 1)] }
  const read = readYaml(found[1] ?? '')
  if ('issues' in read) return read
  const parsed = SkillManifest.safeParse(read.value)
  if (!parsed.success) {
    const issues = parsed.error.issues.slice(0, MAX_ISSUES)
    return {
      issues: issues.map(({ path, message }) =>
        issue(`${path.join('.') || 'front matter'}: ${message}`, read.lineOf(path)),
      ),
    }
  }
  const issues = toolIssues(parsed.data, read.lineOf)
  return issues.length > 0 ? { issues } : { manifest: parsed.data, body: text.slice(found[0].length) }
}

/** {@link parseSkill}, for who has read it before. Throws `validation` with the issues in `details`. */
export function readSkill(text: string): ParsedSkill {
  const parsed = parseSkill(text)
  if ('manifest' in parsed) return parsed
  throw invalidSkill(parsed.issues)
}

/** The error that says what is wrong with a skill; `details.issues` has it. */
export function invalidSkill(issues: readonly SkillIssue[]): CmdopError {
  const first = issues[0]
  const where =
    first === undefined ? '' : ` ${first.path}${first.line === undefined ? '' : `:${first.line}`}: ${first.message}`
  const more = issues.length > 1 ? ` And ${issues.length - 1} more; see details.issues.` : ''
  return new CmdopError('validation', `The skill is not valid.${where}${more}`, { details: { issues } })
}

type LineOf = (path: readonly PropertyKey[]) => number | undefined

function readYaml(yaml: string): { value: unknown; lineOf: LineOf } | { issues: SkillIssue[] } {
  if (isTooDeep(yaml)) return { issues: [issue('The front matter is nested too deeply.', 1)] }
  const lines = new LineCounter()
  try {
    const document = parseDocument(yaml, {
      lineCounter: lines,
      schema: 'core',
      uniqueKeys: true,
      prettyErrors: false,
      logLevel: 'error',
      strict: true,
    })
    const { errors } = document
    // The front matter begins on the second line of the file.
    const lineAt = (offset: number) => lines.linePos(offset).line + 1
    if (errors.length > 0)
      return { issues: errors.slice(0, MAX_ISSUES).map(({ message, pos }) => issue(message, lineAt(pos[0]))) }
    const lineOf: LineOf = (path) => {
      for (let length = path.length; length > 0; length -= 1) {
        const node = document.getIn(path.slice(0, length), true)
        if (isNode(node) && node.range) return lineAt(node.range[0])
      }
      return 2
    }
    // Aliases can make little text stand for much: there are none.
    return { value: document.toJS({ maxAliasCount: 0 }), lineOf }
  } catch (error) {
    return {
      issues: [
        issue(
          `The front matter cannot be read: ${error instanceof Error ? error.message.slice(0, 200) : 'no reason'}.`,
          2,
        ),
      ],
    }
  }
}

/** Whether so much is open at once that a parser which goes down by itself could run out of its stack. */
function isTooDeep(yaml: string): boolean {
  let open = 0
  for (const character of yaml) {
    if (character === '[' || character === '{') open += 1
    else if (character === ']' || character === '}') open = Math.max(0, open - 1)
    if (open > MAX_NESTING) return true
  }
  return COMPACT.test(yaml)
}

function toolIssues({ tools }: SkillManifest, lineOf: LineOf): SkillIssue[] {
  const names = new Set<string>()
  return tools.flatMap(({ name, input, output, argv }, index) => {
    const at = (field: string, message: string) =>
      issue(`tools.${index}.${field}: ${message}`, lineOf(['tools', index, field]))
    const found: SkillIssue[] = []
    if (names.has(name)) found.push(at('name', `There are two tools named ${name}.`))
    names.add(name)
    for (const [field, schema] of [
      ['input', input],
      ['output', output],
    ] as const) {
      try {
        jsonSchemaValidator(schema)
      } catch (error) {
        found.push(at(field, error instanceof Error ? error.message.slice(0, 500) : 'It is no JSON Schema.'))
      }
    }
    if (argv[0]?.includes('/') === true && !argv[0].startsWith('./'))
      found.push(at('argv', 'Expected a program on the PATH, or a file of the skill that begins with ./'))
    return found
  })
}

function issue(message: string, line?: number): SkillIssue {
  return { path: SKILL_FILE, ...(line === undefined ? {} : { line }), message }
}
