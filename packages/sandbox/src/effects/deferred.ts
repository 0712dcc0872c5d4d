import { closeSync, lstatSync, readFileSync } from 'node:fs'
import { nameOf } from '../disk/path-bytes.ts'
import type { Change, ContentSource } from './change.ts'
import { openContent, realSource } from './content.ts'
import { type DeferredRule, deferredRules, gitConfigKeys } from './deferred-rules.ts'
import { fullPath } from './effect-hash.ts'

/** Where this machine keeps what runs later, beside the table of rules. */
export interface DeferredPlaces {
  /** Home directories of users. Default: those of `/etc/passwd`, `/root` and all in `/home`. */
  readonly homes?: readonly string[]
  /** Directories in which commands are looked up. Default: the usual ones, and `bin` and `.local/bin` of each home. */
  readonly programs?: readonly string[]
  /** More paths, absolute, a directory with all below it: watched job folders, the daemon's own configuration. */
  readonly extra?: readonly string[]
}

const programs = [
  '/bin',
  '/sbin',
  '/usr/bin',
  '/usr/sbin',
  '/usr/local/bin',
  '/usr/local/sbin',
  '/snap/bin',
  '/opt/bin',
]

/** Says of a change by which rule it changes what runs later; undefined when by none. */
export function createDeferredCheck(
  places: DeferredPlaces = {},
): (change: Change, all: ReadonlySet<string>) => string | undefined {
  const homes = (places.homes ?? knownHomes()).map(byteText)
  const commandPaths = [
    ...(places.programs ?? programs).map(byteText),
    ...homes.flatMap((home) => [`${home}/bin`, `${home}/.local/bin`]),
  ]
  const extra = (places.extra ?? []).map(byteText)
  const rules = deferredRules.map((rule) => ({ rule, test: matcher(rule) }))
  return (change, addedDirectories) => {
    if (change.kind === 'times' || (change.after ?? change.before)?.type === 'directory') return undefined
    const path = fullPath(change).toString('latin1')
    if (extra.some((each) => path === each || path.startsWith(each.endsWith('/') ? each : `${each}/`)))
      return 'configured'
    if (isPrivileged(change)) return 'privilege'
    const home = homeOf(path, homes)
    const fits = ({ rule, test }: (typeof rules)[number]) =>
      (!rule.existingOnly || change.before !== undefined) &&
      // The home of a user who is made right now is filled from /etc/skel; keys in it still open a door.
      test(path, home !== undefined && addedDirectories.has(home) && rule.rule !== 'ssh' ? undefined : home)
    return rules.find(fits)?.rule.rule ?? onPath(path, change, commandPaths) ?? gitConfig(path, change)
  }
}

/** A rule as one test of an absolute path, and of the home it is in. */
function matcher({
  home = [],
  system = [],
  anywhere = [],
}: DeferredRule): (path: string, home: string | undefined) => boolean {
  const inHome = expression(home, '^')
  const inSystem = expression(system, '^')
  const ends = anywhere.length > 0 ? new RegExp(`(^|/)(${anywhere.map(escape).join('|')})$`) : undefined
  return (path, directory) =>
    inSystem?.test(path) === true ||
    ends?.test(path) === true ||
    (directory !== undefined && inHome?.test(path.slice(directory.length + 1)) === true)
}

function expression(patterns: readonly string[], start: string): RegExp | undefined {
  if (patterns.length === 0) return undefined
  const parts = patterns.map((each) => (each.endsWith('/') ? escape(each) : `${escape(each)}$`))
  return new RegExp(`${start}(${parts.join('|')})`)
}

function escape(pattern: string): string {
  return pattern.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`).replaceAll('*', '[^/]*')
}

function homeOf(path: string, homes: readonly string[]): string | undefined {
  const found = homes.find((home) => path.startsWith(`${home}/`))
  return found ?? /^\/(?:home|Users)\/[^/]+(?=\/)/.exec(path)?.[0]
}

/** A program that was there gets another content, or a new one stands where another directory already has that name. */
function onPath(path: string, change: Change, directories: readonly string[]): string | undefined {
  const directory = directories.find(
    (each) => path.startsWith(`${each}/`) && !path.slice(each.length + 1).includes('/'),
  )
  if (directory === undefined) return undefined
  if (change.before) return change.kind === 'metadata' ? undefined : 'path'
  const name = nameOf(change.path)
  const others = directories.filter((each) => each !== directory)
  return others.some((each) => exists(Buffer.concat([Buffer.from(`${each}/`), name]))) ? 'path' : undefined
}

/** A configuration of a repository that makes git run something. Reading it costs a file, so the name decides first. */
function gitConfig(path: string, change: Change): string | undefined {
  if (!/(\.git|\.git\/modules\/.*|\.git\/worktrees\/[^/]*)\/config(\.worktree)?$/.test(path)) return undefined
  const lines = new Set(change.before ? contentLines(readBefore(change)) : [])
  const added = change.source ? contentLines(readSource(change.source)).filter((line) => !lines.has(line)) : []
  // The key or section alone: a branch may be called anything.
  return added.some((line) => gitConfigKeys.test(line.replace(/["=].*/, ''))) ? 'git-config' : undefined
}

/** A file that gets, or changes under, the rights of its owner, group or capabilities. */
function isPrivileged({ kind, before, after }: Change): boolean {
  if (after?.type !== 'file') return false
  const rights = (state: typeof after | undefined) =>
    state ? `${state.mode & 0o6000} ${state.xattrs.get('security.capability')?.toString('hex') ?? ''}` : '0 '
  if (rights(after) === '0 ') return false
  return kind !== 'metadata' || rights(after) !== rights(before) || before?.uid !== after.uid
}

function readSource(source: ContentSource): string {
  const descriptor = openContent(source)
  try {
    return readFileSync(descriptor, 'utf8')
  } finally {
    closeSync(descriptor)
  }
}

/** '' for what is no file, or cannot be read: then every line is new. */
function readBefore(change: Change): string {
  try {
    return readSource(realSource(change))
  } catch {
    return ''
  }
}

/** A path of the configuration as paths are compared here: every byte one character. */
function byteText(path: string): string {
  return Buffer.from(path).toString('latin1')
}

function contentLines(content: string): string[] {
  return content.split('\n').map((line) => line.trim())
}

function readFileSyncOrEmpty(path: Buffer): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function exists(path: Buffer): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

function knownHomes(): string[] {
  const homes = readFileSyncOrEmpty(Buffer.from('/etc/passwd'))
    .split('\n')
    .map((line) => line.split(':')[5] ?? '')
    .filter(
      (home) =>
        home.startsWith('/') && home.length > 1 && !/^\/(?:usr\/s?bin|bin|sbin|dev|proc|nonexistent)$/.test(home),
    )
  return [...new Set(['/root', ...homes])]
}
