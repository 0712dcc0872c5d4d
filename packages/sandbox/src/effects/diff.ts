import { closeSync, readFileSync } from 'node:fs'
import { createTwoFilesPatch } from 'diff'
import type { View } from '../view.ts'
import type { Change, ContentSource } from './change.ts'
import { openContent } from './content.ts'
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

/** One file that takes long is left without a diff. */
const TIMEOUT_MS = 100
const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Makes unified diffs until the limits are reached; undefined for what is not text, too large, or too much. */
export function createDiffer(view: View, limits: DiffLimits = diffLimits): (change: Change) => string | undefined {
  let files = limits.files
  let left = limits.totalBytes
  return (change) => {
    if (files <= 0 || left <= 0 || !isCandidate(change, limits)) return undefined
    const sides = bothSides(change, view)
    if (!sides) return undefined
    const name = JSON.stringify(fullPath(change).toString()).slice(1, -1)
    const patch = createTwoFilesPatch(change.before ? name : '/dev/null', name, sides.before, sides.after, undefined, undefined, {
      context: 3,
      timeout: TIMEOUT_MS,
      headerOptions: { includeIndex: false, includeUnderline: false, includeFileHeaders: true },
    })
    if (patch === undefined) return undefined
    const cut = cutAtLine(patch, Math.min(limits.diffBytes, left))
    files -= 1
    left -= Buffer.byteLength(cut)
    return cut
  }
}

function isCandidate({ kind, before, after, movedFrom, copyOf }: Change, limits: DiffLimits): boolean {
  if (kind !== 'added' && kind !== 'modified') return false
  if (copyOf || (movedFrom && kind === 'added') || after?.type !== 'file') return false
  return after.size <= limits.fileBytes && (before?.size ?? 0) <= limits.fileBytes && after.size + (before?.size ?? 0) > 0
}

function bothSides(change: Change, view: View): { before: string; after: string } | undefined {
  try {
    const real: ContentSource = { where: 'real', path: fullPath(change) }
    const after = change.source && readText(change.source, view)
    const before = change.before ? readText(real, view) : ''
    return before === undefined || after === undefined ? undefined : { before, after }
  } catch {
    // Not readable, or not UTF-8.
    return undefined
  }
}

function readText(source: ContentSource, view: View): string | undefined {
  if (view.reader && source.where === 'upper') return undefinedIfBinary(readFileSync(source.path))
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
