import { closeSync, readFileSync } from 'node:fs'
import { createTwoFilesPatch } from 'diff'
import type { EntryState } from '../disk/entry-state.ts'
import type { Change, ContentSource } from './change.ts'
import { openContent, realSource } from './content.ts'
import { fullPath } from './effect-hash.ts'

/** Bounds of the diffs of one effect list. */
export interface DiffLimits {
  /** Files that get a diff. */
  readonly files: number
  /** Bytes of a side that is still compared. */
  readonly fileBytes: number
  /** Bytes of one diff; the rest is cut at a line. */
  readonly diffBytes: number
  /** Bytes of all diffs together. */
  readonly totalBytes: number
}

/** 100 files, 1 MB a side, 32 KB a diff, 512 KB in all. */
export const diffLimits: DiffLimits = { files: 100, fileBytes: 1_048_576, diffBytes: 32_768, totalBytes: 524_288 }

/** Lines that a diff finds at most, and time for all diffs of a list: what takes longer is left without one. */
const MAX_EDITS = 4_000
const TIME_MS = 1_000
const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Makes unified diffs until the limits are reached; undefined for what is not text, too large, or too much. */
export function createDiffer(limits: DiffLimits = diffLimits): (change: Change) => string | undefined {
  let files = limits.files
  let left = limits.totalBytes
  let time = TIME_MS
  return (change) => {
    if (files <= 0 || left <= 0 || time <= 0 || !isCandidate(change, limits)) return undefined
    const started = performance.now()
    const sides = bothSides(change)
    if (!sides) return undefined
    const bytes = Math.min(limits.diffBytes, left)
    const name = JSON.stringify(fullPath(change).toString()).slice(1, -1)
    const patch = change.before ? patchOf(name, sides, time) : patchOfNew(name, sides.after, bytes)
    time -= performance.now() - started
    if (patch === undefined) return undefined
    const cut = cutAtLine(patch, bytes)
    files -= 1
    left -= Buffer.byteLength(cut)
    return cut
  }
}

function patchOf(
  name: string,
  { before, after }: { before: string; after: string },
  timeout: number,
): string | undefined {
  return createTwoFilesPatch(name, name, before, after, undefined, undefined, {
    context: 3,
    timeout,
    maxEditLength: MAX_EDITS,
    headerOptions: { includeIndex: false, includeUnderline: false, includeFileHeaders: true },
  })
}

/** Of a new file every line is new; only as much is made as will be shown. */
function patchOfNew(name: string, content: string, bytes: number): string {
  const lines = content.split('\n')
  const ending = lines.at(-1) === '' ? lines.splice(-1) : ['\\ No newline at end of file']
  const head = `--- /dev/null\n+++ ${name}\n@@ -0,0 +1,${lines.length} @@\n`
  const shown = content.length > bytes ? content.slice(0, bytes).split('\n') : lines
  return `${head}${shown.map((line) => `+${line}\n`).join('')}${ending.filter(Boolean).join('')}`
}

function isCandidate({ kind, before, after, movedFrom, copyOf }: Change, limits: DiffLimits): boolean {
  if (before && after && !mayRead(after, before)) return false
  if (kind !== 'added' && kind !== 'modified') return false
  if (copyOf || (movedFrom && kind === 'added') || after?.type !== 'file') return false
  return (
    after.size <= limits.fileBytes && (before?.size ?? 0) <= limits.fileBytes && after.size + (before?.size ?? 0) > 0
  )
}

/** Whether the owner of what is there now may read what was: a directory of theirs may hold what they cannot open, and can replace. */
function mayRead(owner: EntryState, { mode, uid, gid }: EntryState): boolean {
  return owner.uid === 0 || owner.uid === uid || (mode & 0o004) !== 0 || (owner.gid === gid && (mode & 0o040) !== 0)
}

function bothSides(change: Change): { before: string; after: string } | undefined {
  try {
    const after = change.source && readText(change.source)
    const before = change.before ? readText(realSource(change)) : ''
    return before === undefined || after === undefined ? undefined : { before, after }
  } catch {
    // Not readable, or not UTF-8.
    return undefined
  }
}

function readText(source: ContentSource): string | undefined {
  const descriptor = openContent(source)
  try {
    return undefinedIfBinary(readFileSync(descriptor))
  } finally {
    closeSync(descriptor)
  }
}

function undefinedIfBinary(bytes: Buffer): string | undefined {
  return bytes.includes(0) ? undefined : text.decode(bytes)
}

function cutAtLine(patch: string, bytes: number): string {
  if (Buffer.byteLength(patch) <= bytes) return patch
  const cut = Buffer.from(patch).subarray(0, bytes).toString()
  return `${cut.slice(0, cut.lastIndexOf('\n') + 1)}\\ The diff is cut here.\n`
}
