import { type Word, valueOf } from '../parse/simple-command.ts'
import type { CommandClass } from '../classify/command-class.ts'
import {
  type PathGlob,
  type TextGlob,
  compilePathGlob,
  compileTextGlob,
  isAbove,
  matchesPath,
  matchesText,
} from './globs.ts'
import type { CommandPattern, PolicyRule } from './rule.ts'
import type { CommandSubject, Subject } from './subject.ts'

/** A rule that is ready to be asked. */
export interface CompiledRule {
  readonly rule: PolicyRule
  /** Names of programs that it is about; undefined: of any, or by a pattern. */
  readonly programs: readonly string[] | undefined
  /** Whether it fits. An `allow` rule fits only what is known as a whole. */
  readonly fits: (subject: Subject) => boolean
}

/** Reads the patterns of a rule once. */
export function compileRule(rule: PolicyRule): CompiledRule {
  const isAllow = rule.decision === 'allow'
  const tools = rule.tool === undefined ? undefined : listOf(rule.tool).map(compileTextGlob)
  const command = rule.command === undefined ? undefined : compileCommand(rule.command, isAllow)
  const paths = rule.paths?.map(compilePathGlob)
  const hosts = rule.hosts?.map((host) => compileTextGlob(host.toLowerCase()))
  const classes = rule.class === undefined ? undefined : new Set<CommandClass>(rule.class)
  const who = rule.who === undefined ? undefined : new Set(rule.who)
  const fits = (subject: Subject): boolean =>
    who?.has(subject.principalKind) !== false &&
    classes?.has(subject.class) !== false &&
    (tools === undefined ||
      tools.some((tool) => matchesText(tool, toolOf(subject)) || matchesText(tool, subject.tool))) &&
    (command === undefined || (subject.command !== undefined && command.fits(subject.command))) &&
    (paths === undefined || fitsPaths(paths, subject, isAllow)) &&
    (hosts === undefined || fitsHosts(hosts, subject, isAllow)) &&
    (!isAllow || coversTheRest(rule, subject))
  return { rule, programs: command?.programs, fits }
}

/** A command in a session is a command. */
function toolOf({ tool }: Subject): string {
  return tool === 'session.execute' ? 'exec' : tool
}

interface CompiledCommand {
  readonly programs: readonly string[] | undefined
  readonly fits: (command: CommandSubject) => boolean
}

function compileCommand({ name, args, has }: CommandPattern, isAllow: boolean): CompiledCommand {
  const names = listOf(name).map(compileTextGlob)
  const words = (args ?? [isAllow ? '...' : '<any>...']).map(compileWord)
  const wanted = has?.map((word) => ({ glob: compileTextGlob(word), letter: /^-(\w)$/.exec(word)?.[1] }))
  const fits = ({ parsed, name: known, baseName }: CommandSubject): boolean => {
    const others = parsed.words.slice(1)
    // Whatever is called rm is denied; only the rm of the system is allowed.
    const candidates = isAllow ? [known] : [known, baseName]
    return (
      candidates.some((candidate) => candidate !== undefined && names.some((glob) => matchesText(glob, candidate))) &&
      fitsWords(words, others) &&
      (wanted === undefined || others.some((word) => wanted.some((pattern) => hasWord(pattern, word))))
    )
  }
  const isPlain = names.every(({ pieces }) => pieces === undefined)
  return { programs: isPlain ? names.map(({ text }) => text) : undefined, fits }
}

interface WordPattern {
  readonly glob: TextGlob | undefined
  readonly isMany: boolean
  /** Whether a word fits that is not known before it runs. */
  readonly takesUnknown: boolean
}

function compileWord(text: string): WordPattern {
  if (text === '...') return { glob: undefined, isMany: true, takesUnknown: false }
  if (text === '<any>...') return { glob: undefined, isMany: true, takesUnknown: true }
  if (text === '<any>') return { glob: undefined, isMany: false, takesUnknown: true }
  return { glob: compileTextGlob(text), isMany: false, takesUnknown: false }
}

/** Words against patterns; after a pattern for many it goes on at the first place where the rest fits. */
function fitsWords(patterns: readonly WordPattern[], words: readonly Word[]): boolean {
  let [pattern, word, many, resume] = [0, 0, -1, 0]
  while (word < words.length) {
    const current = patterns[pattern]
    const given = words[word] as Word
    if (current?.isMany === true) [many, resume, pattern] = [pattern, word, pattern + 1]
    else if (current !== undefined && fitsWord(current, given)) [pattern, word] = [pattern + 1, word + 1]
    else if (many >= 0 && fitsWord(patterns[many] as WordPattern, words[resume] as Word))
      [pattern, word, resume] = [many + 1, resume + 1, resume + 1]
    else return false
  }
  return patterns.slice(pattern).every(({ isMany }) => isMany)
}

function fitsWord({ glob, takesUnknown, isMany }: WordPattern, { values, splits }: Word): boolean {
  if (values === undefined) return takesUnknown && (isMany || !splits)
  return glob === undefined || values.every((value) => matchesText(glob, value))
}

/** `-r` is in `-rf`. */
function hasWord({ glob, letter }: { glob: TextGlob; letter: string | undefined }, word: Word): boolean {
  const text = valueOf(word)
  if (text === undefined) return false
  if (matchesText(glob, text)) return true
  return letter !== undefined && /^-[A-Za-z0-9]+$/.test(text) && text.includes(letter)
}

function fitsPaths(globs: readonly PathGlob[], { paths, class: name }: Subject, isAllow: boolean): boolean {
  const isInside = (path: string) => globs.some((glob) => matchesPath(glob, path))
  if (isAllow) return !paths.open && paths.known.length > 0 && paths.known.every(isInside)
  return paths.known.some((path) => isInside(path) || (name !== 'read' && globs.some((glob) => isAbove(glob, path))))
}

function fitsHosts(globs: readonly TextGlob[], { hosts }: Subject, isAllow: boolean): boolean {
  const fits = (host: string) => globs.some((glob) => matchesText(glob, host))
  return isAllow ? !hosts.open && hosts.known.length > 0 && hosts.known.every(fits) : hosts.known.some(fits)
}

/**
 * An `allow` rule is about a program on this machine: what runs on another needs `hosts`, and a file that is written beside it, or a
 * variable that changes what runs, needs a rule that speaks of it.
 */
function coversTheRest(rule: PolicyRule, { command }: Subject): boolean {
  if (command === undefined) return true
  if (command.parsed.on.length > 0 && rule.hosts === undefined) return false
  if (rule.class !== undefined || command.around.class === 'read') return true
  return rule.paths !== undefined && command.around.class !== 'unknown'
}

function listOf(value: string | readonly string[]): readonly string[] {
  return typeof value === 'string' ? [value] : value
}
