import { closeSync, constants, type Dirent, openSync, readdirSync, statSync } from 'node:fs'
import type { FileEntry, FileSearchParams, SearchEnd, SearchMatch } from '@cmdop/protocol'
import { childPath, splitPath, wireText } from '../path-bytes.ts'
import { globToRegExp } from './glob.ts'
import { type LineTest, searchFile } from './search-file.ts'

/** Characters that a match shows of its line. */
const SHOWN_CHARACTERS = 500

interface Found {
  /** Where it is, and where it is below the root. */
  readonly path: Buffer
  readonly below: Buffer
  readonly type: FileEntry['type']
  readonly depth: number
}

/** How names and lines are tried. */
export interface SearchTests {
  /** Undefined: lines do not matter. */
  readonly line: LineTest | undefined
  /** Makes a test one whose time is watched. */
  readonly watched: (test: LineTest) => LineTest
}

/** Everything that fits, as it is found; at last what was searched. Synchronous: it has a thread of its own. */
export function* find(
  root: Buffer,
  params: FileSearchParams,
  { line: test, watched }: SearchTests,
): Generator<SearchMatch, SearchEnd, undefined> {
  const end = { matches: 0, truncated: false, searchedFiles: 0, skippedFiles: 0 }
  const hasName = nameTest(params, watched)
  for (const found of walk(root, params.maxDepth)) {
    if (!hasName(found.below.length === 0 ? splitPath(root).name : found.below)) continue
    for (const match of matchesIn(found, { params, test, end })) {
      if (end.matches === params.maxMatches) return { ...end, truncated: true }
      end.matches += 1
      yield match
    }
  }
  return end
}

function* matchesIn(
  found: Found,
  context: {
    params: FileSearchParams
    test: LineTest | undefined
    end: Record<'searchedFiles' | 'skippedFiles', number>
  },
): Generator<SearchMatch> {
  const { params, test, end } = context
  const match = { ...wireText('path', found.below), type: found.type }
  if (test === undefined) yield match
  else if (found.type === 'file') {
    const lines = searchFile(found.path, test, params.maxFileBytes)
    for (let next = lines.next(); ; next = lines.next()) {
      if (next.done === true) {
        end[next.value ? 'searchedFiles' : 'skippedFiles'] += 1
        return
      }
      yield { ...match, line: next.value.line, text: next.value.text.slice(0, SHOWN_CHARACTERS) }
    }
  }
}

/** Names alone are matched unless the pattern speaks of folders. */
function nameTest({ name, ignoreCase }: FileSearchParams, watched: SearchTests['watched']): (below: Buffer) => boolean {
  if (name === undefined) return () => true
  const pattern = globToRegExp(name, { ignoreCase })
  const ofPath = name.includes('/') || name.includes('**')
  const fits = watched((text) => pattern.test(text))
  return (below) => fits((ofPath ? below : splitPath(below).name).toString())
}

/** The root and everything below it, in byte order. A link at the root is followed, others are not. */
function* walk(root: Buffer, maxDepth: number): Generator<Found> {
  const stat = statSync(root)
  const type = stat.isDirectory() ? 'directory' : stat.isFile() ? 'file' : 'other'
  if (type !== 'directory') yield { path: root, below: Buffer.alloc(0), type, depth: 0 }
  else yield* walkDirectory({ path: root, below: Buffer.alloc(0), type, depth: 0 }, maxDepth)
}

function* walkDirectory(directory: Found, maxDepth: number): Generator<Found> {
  if (directory.depth >= maxDepth) return
  for (const entry of readDirectory(directory)) {
    const found = {
      path: childPath(directory.path, entry.name),
      below: childPath(directory.below, entry.name),
      type: typeOf(entry),
      depth: directory.depth + 1,
    }
    yield found
    if (found.type === 'directory') yield* walkDirectory(found, maxDepth)
  }
}

/** Nothing for one that cannot be read, or is a link by now. */
function readDirectory({ path, depth }: Found): Dirent<Buffer>[] {
  try {
    const noFollow = depth === 0 ? 0 : constants.O_NOFOLLOW
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | noFollow)
    try {
      const stable = process.platform === 'linux' ? `/proc/self/fd/${descriptor}` : path
      const entries = readdirSync(stable, { encoding: 'buffer', withFileTypes: true })
      return entries.sort((left, right) => Buffer.compare(left.name, right.name))
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    if (depth === 0) throw error
    return []
  }
}

function typeOf(entry: Dirent<Buffer>): FileEntry['type'] {
  if (entry.isFile()) return 'file'
  if (entry.isDirectory()) return 'directory'
  return entry.isSymbolicLink() ? 'symlink' : 'other'
}
