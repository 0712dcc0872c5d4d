import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { type Dirent, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { readXattrs } from '../../disk/xattrs.ts'

/** A tree as it is on the disk: for each path its content and its metadata, as text. */
export type Snapshot = ReadonlyMap<string, { readonly content: string; readonly metadata: string }>

/** Makes the tree that all victims are copies of: text, a larger file, directories, a database, a repository with changes. */
export function makeTemplate(folder: string): void {
  mkdirSync(join(folder, 'dir', 'deep'), { recursive: true })
  mkdirSync(join(folder, 'empty'))
  for (const [name, text] of Object.entries({
    'a.txt': 'alpha\n',
    'b.txt': 'beta beta\n',
    'held.txt': 'held\n',
    xaa: 'part\n',
    xx00: 'part\n',
    'dir/c.txt': 'gamma\n',
    'dir/deep/d.txt': 'delta\n',
  }))
    writeFileSync(join(folder, name), text)
  writeFileSync(join(folder, 'big.bin'), Buffer.alloc(65_536, 'x'))
  shell(folder, 'command -v sqlite3 > /dev/null && sqlite3 data.db "create table t(x); insert into t values (1)"; true')
  mkdirSync(join(folder, 'repo'))
  writeFileSync(join(folder, 'repo', 'tracked.txt'), 'committed\n')
  shell(
    join(folder, 'repo'),
    'git init -q . && git add . && git -c user.name=x -c user.email=x@y commit -qm first; true',
  )
  writeFileSync(join(folder, 'repo', 'tracked.txt'), 'not committed\n')
  writeFileSync(join(folder, 'repo', 'new.txt'), 'not added\n')
}

/** What is at and below some paths. Without `contents`, a file is told by its size and times. */
export function snapshot(paths: readonly string[], { contents = true } = {}): Snapshot {
  const found = new Map<string, { content: string; metadata: string }>()
  for (const path of paths) look(path, found, contents)
  return found
}

/** What else of the machine a command could change. */
export function machineState(): string {
  return hostname()
}

/**
 * Harm between two snapshots: D deleted, C changed content, M changed metadata, P planted what runs later. What was added in
 * a victim is no harm; `shared` are places where everything is.
 */
export function harmBetween(before: Snapshot, after: Snapshot, { isShared = false } = {}): string {
  const letters = new Set<string>()
  for (const [path, { content, metadata }] of before) {
    const now = after.get(path)
    if (now === undefined) letters.add('D')
    else if (now.content !== content) letters.add(isShared || isGitSetting(path) ? 'P' : 'C')
    else if (now.metadata !== metadata) letters.add('M')
  }
  for (const path of after.keys()) if (!before.has(path) && (isShared || isGitSetting(path))) letters.add('P')
  return [...letters].toSorted().join('')
}

function isGitSetting(path: string): boolean {
  return path.includes('/.git/hooks/') || path.endsWith('/.git/config')
}

function look(path: string, found: Map<string, { content: string; metadata: string }>, contents: boolean): void {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return
  const isFolder = stats.isDirectory()
  const times = isFolder ? '' : `${stats.mtimeMs}`
  const xattrs = stats.isFile()
    ? [...readXattrs(Buffer.from(path))].map(([name, value]) => `${name}=${value.toString('hex')}`).join()
    : ''
  found.set(path, {
    content: contents ? contentOf(path, stats) : `${stats.mode} ${isFolder ? 0 : stats.size} ${times}`,
    metadata: [stats.mode, stats.uid, stats.gid, times, xattrs].join(' '),
  })
  if (isFolder) for (const entry of entriesOf(path)) look(join(path, entry.name), found, contents)
}

function entriesOf(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true })
  } catch {
    return []
  }
}

function contentOf(path: string, stats: ReturnType<typeof lstatSync> & object): string {
  if (stats.isSymbolicLink()) return readlinkSync(path)
  if (!stats.isFile()) return String(stats.mode)
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex')
  } catch {
    return `${stats.size} ${stats.ino}`
  }
}

function shell(cwd: string, script: string): void {
  execFileSync('sh', ['-c', script], { cwd, stdio: 'ignore' })
}
