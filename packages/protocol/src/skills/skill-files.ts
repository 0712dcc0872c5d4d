import { z } from 'zod'
import { canonicalJson } from '../messages/canonical-json.ts'
import { Sha256 } from '../methods/sha256.ts'
import { type ParsedSkill, parseSkill, type SkillIssue } from './parse-skill.ts'
import {
  collidingPaths,
  MAX_SKILL_BYTES,
  MAX_SKILL_FILE_BYTES,
  MAX_SKILL_FILES,
  SKILL_FILE,
  skillPathIssue,
} from './skill-paths.ts'

/** Characters of the content of a file at most: base64 takes a third more than the bytes. */
const MAX_CONTENT = Math.ceil(MAX_SKILL_FILE_BYTES / 3) * 4

/** A file of a skill as it is sent. */
export const SkillFile = z.object({
  path: z.string().min(1).max(1024).describe('Path from the folder of the skill, with `/` between names'),
  content: z.string().max(MAX_CONTENT).describe('Its content, as `encoding` says'),
  encoding: z.enum(['utf8', 'base64']).default('utf8').describe('`utf8`: text as it is. `base64`: bytes.'),
  executable: z
    .boolean()
    .default(false)
    .describe('Whether it is put in place with the right to be run (mode 0755 instead of 0644)'),
})
export type SkillFile = z.infer<typeof SkillFile>

/** A file of a skill, as its version is signed for by the digest. */
export const SkillFileEntry = z.object({
  path: z.string().describe('Path from the folder of the skill, with `/` between names'),
  sha256: Sha256.describe('SHA-256 of its bytes, hex'),
  executable: z.boolean().describe('Whether it may be run (mode 0755 instead of 0644)'),
  size: z.number().int().min(0).describe('Bytes of its content'),
})
export type SkillFileEntry = z.infer<typeof SkillFileEntry>

/** The text whose SHA-256 is the digest of a version of a skill: paths, contents and modes, whatever their order. */
export function skillDigestText(files: readonly SkillFileEntry[]): string {
  const sorted = files.toSorted((one, other) => (one.path < other.path ? -1 : 1))
  return canonicalJson({
    format: 'cmdop-skill-1',
    files: sorted.map(({ path, sha256, executable, size }) => ({ path, sha256, executable, size })),
  })
}

/** The bytes of a file; undefined where its content is not what its encoding says. */
export function skillFileBytes({ content, encoding }: Pick<SkillFile, 'content' | 'encoding'>): Uint8Array | undefined {
  if (encoding === 'utf8') return content.isWellFormed() ? new TextEncoder().encode(content) : undefined
  if (content.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(content)) return undefined
  return Uint8Array.from(atob(content), (character) => character.charCodeAt(0))
}

/** A skill whose files may be taken in. */
export interface CheckedSkill extends ParsedSkill {
  readonly files: readonly (Pick<SkillFile, 'path' | 'executable'> & { readonly data: Uint8Array })[]
  /** Its `SKILL.md`. */
  readonly text: string
}

/** Looks at the files of a skill: paths, sizes, and its `SKILL.md`. Gives what is wrong instead, and throws nothing. */
export function checkSkillFiles(
  given: readonly SkillFile[],
): CheckedSkill | { readonly issues: readonly SkillIssue[] } {
  if (given.length > MAX_SKILL_FILES)
    return { issues: [{ path: SKILL_FILE, message: `There are more than ${MAX_SKILL_FILES} files.` }] }
  const issues = pathIssues(given)
  if (issues.length > 0) return { issues }
  const files = given.map(({ path, executable, ...file }) => ({ path, executable, data: skillFileBytes(file) }))
  const read = files.flatMap(({ data, ...file }) => (data === undefined ? [] : [{ ...file, data }]))
  for (const { path, data } of files) {
    if (data === undefined) issues.push({ path, message: 'Its content is not what its encoding says.' })
    else if (data.length > MAX_SKILL_FILE_BYTES)
      issues.push({ path, message: `It is larger than ${MAX_SKILL_FILE_BYTES} bytes.` })
  }
  const total = read.reduce((sum, { data }) => sum + data.length, 0)
  if (total > MAX_SKILL_BYTES)
    issues.push({
      path: SKILL_FILE,
      message: `The files have ${total} bytes together; at most are ${MAX_SKILL_BYTES}.`,
    })
  if (issues.length > 0) return { issues }
  return checkedText(read)
}

function checkedText(files: CheckedSkill['files']): CheckedSkill | { readonly issues: readonly SkillIssue[] } {
  const data = files.find(({ path }) => path === SKILL_FILE)?.data
  if (data === undefined)
    return { issues: [{ path: SKILL_FILE, message: 'There is no SKILL.md at the top of the folder.' }] }
  const text = decoded(data)
  if (text === undefined) return { issues: [{ path: SKILL_FILE, message: 'It is not UTF-8.' }] }
  const parsed = parseSkill(text)
  if ('issues' in parsed) return parsed
  const paths = new Set(files.map(({ path }) => path))
  const missing = parsed.manifest.tools.flatMap(({ name, argv }) =>
    argv
      .filter((word) => word.startsWith('./') && !paths.has(word.slice(2)))
      .map((word) => `The tool ${name} names ${word}, which is no file of the skill.`),
  )
  const startsPlain = parsed.manifest.tools.flatMap(({ name, argv: [first = ''] }) => {
    const file = files.find(({ path }) => `./${path}` === first)
    return file === undefined || file.executable ? [] : [`The tool ${name} runs ${first}, which is not executable.`]
  })
  const issues = [...missing, ...startsPlain].map((message) => ({ path: SKILL_FILE, message }))
  return issues.length > 0 ? { issues } : { ...parsed, files, text }
}

function pathIssues(files: readonly SkillFile[]): SkillIssue[] {
  const paths = files.map(({ path }) => path)
  const colliding = collidingPaths(paths)
  return paths.flatMap((path) => {
    const shown = path.replaceAll(/[\p{Cc}\p{Cf}]/gu, '\uFFFD').slice(0, 200)
    const collides = colliding.has(path)
      ? 'Another file or folder has this path, perhaps in another letter case.'
      : undefined
    const message = skillPathIssue(path) ?? collides
    return message === undefined ? [] : [{ path: shown, message }]
  })
}

function decoded(data: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data)
  } catch {
    return undefined
  }
}
