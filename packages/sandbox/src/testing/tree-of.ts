import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { readState } from '../disk/entry-state.ts'
import { joinBytes, keyOf } from '../disk/path-bytes.ts'

/** What of a tree is compared. */
export interface TreeOptions {
  /** Modification times: all, those before a moment (set by hand), or none. */
  readonly times?: 'all' | { readonly beforeNs: bigint }
  readonly inodes?: boolean
  /** Groups of names of one file. */
  readonly links?: boolean
}

/** All of a tree as text, one line an entry: type, mode, owner, attributes, content, links, sparse or not. */
export function treeOf(root: string, { times, inodes = false, links = true }: TreeOptions = {}): string[] {
  const lines: string[] = []
  const groups = new Map<bigint, string>()
  visit(Buffer.alloc(0))
  return lines

  function visit(path: Buffer): void {
    const full = joinBytes(Buffer.from(root), path)
    const state = readState(full)
    if (!state) return
    const { type, mode, uid, gid, size, xattrs, target, mtimeNs, ino, nlink } = state
    const content = type === 'file' ? createHash('sha256').update(readFileSync(full)).digest('hex').slice(0, 12) : ''
    const named = [...xattrs].map(([name, value]) => `${name}=${value.toString('hex')}`).sort()
    const withTime = times === 'all' || (times !== undefined && mtimeNs < times.beforeNs)
    const parts = [
      JSON.stringify(keyOf(path)),
      type,
      type === 'symlink' ? '' : mode.toString(8),
      `${uid}:${gid}`,
      size,
      content,
      target?.toString('latin1') ?? '',
      ...named,
    ]
    if (withTime) parts.push(`mtime ${mtimeNs}`)
    if (inodes) parts.push(`ino ${ino}`)
    if (links && type !== 'directory' && nlink > 1) {
      const group = groups.get(ino) ?? keyOf(path)
      groups.set(ino, group)
      parts.push(`link of ${JSON.stringify(group)}`)
    }
    lines.push(parts.join(' '))
    if (type !== 'directory') return
    const names = readdirSync(full, { encoding: 'buffer' }).sort((one, other) => Buffer.compare(one, other))
    for (const name of names) visit(joinBytes(path, name))
  }
}
