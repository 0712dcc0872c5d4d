import type { Effect, EffectList, FileState } from '@cmdop/protocol'
import type { EntryState } from '../disk/entry-state.ts'
import { isWithin, wirePath } from '../disk/path-bytes.ts'
import type { Change } from './change.ts'
import type { MovedDirectories } from './directories.ts'
import { fullPath } from './effect-hash.ts'
import type { FoldedChanges } from './folded.ts'
import { type MovedPaths, type ViolationRule, isEmptied, movedPaths, violationsOf } from './violations.ts'

/** Bounds of an effect list. */
export interface ListLimits {
  /** Effects that are listed one by one; what is over is only counted. */
  readonly effects: number
  /** A directory that came or went with more entries than this is one line, but for what is forbidden or deferred in it. */
  readonly collapseOver: number
  /** Violations of one rule that are listed. */
  readonly violations: number
}

/** 2,000 effects, directories from 100 entries on as one, 200 violations of a rule. */
export const listLimits: ListLimits = { effects: 2_000, collapseOver: 100, violations: 200 }

interface ListOptions {
  /** Changes that are only counted. */
  readonly folded: Pick<FoldedChanges, 'counts' | 'first'>
  readonly movedDirectories: MovedDirectories
  readonly deferred: (change: Change) => string | undefined
  readonly diff: (change: Change) => string | undefined
  readonly limits?: ListLimits
}

type Listed = Pick<EffectList, 'effects' | 'counts' | 'truncated' | 'violations'>

/** Turns changes, sorted by path, into the list of the wire: moves joined, large directories collapsed, bounded. */
export function listEffects(changes: readonly Change[], options: ListOptions): Listed {
  const limits = options.limits ?? listLimits
  const rows = toRows(changes, options)
  const collapsed = collapseRows(rows, limits.collapseOver)
  const violations = new Violations(limits.violations)
  const effects: Effect[] = []
  const counts: Record<string, number> = { ...options.folded.counts }
  delete counts['times']
  let truncated = options.folded.first !== undefined
  if (options.folded.first) violations.addTooLarge(options.folded.first)
  for (const row of rows) {
    const owner = collapsed.get(row)
    violations.add(row, owner === row ? undefined : owner)
    if (row.kind === undefined) continue
    counts[row.kind] = (counts[row.kind] ?? 0) + 1
    // What runs later no more is nothing to look out for.
    const isNamed = row.deferred !== undefined && row.kind !== 'deleted'
    if (owner !== undefined && owner !== row && !isNamed) continue
    if (effects.length < limits.effects)
      effects.push(toEffect(row, { entries: entriesOf(collapsed, row), diff: options.diff }))
    else truncated = true
  }
  return { effects, counts, truncated, violations: violations.list }
}

/** A change as it is shown; `kind` is absent of a path that another row names as where it moved from. */
interface Row {
  readonly change: Change
  readonly kind: Effect['kind'] | undefined
  readonly from?: Change
  readonly deferred: string | undefined
  readonly rules: readonly ViolationRule[]
}

function toRows(changes: readonly Change[], { movedDirectories, deferred }: ListOptions): Row[] {
  const moved = movedPaths(changes, new Set(movedDirectories.keys()))
  const origins = new Map([...movedDirectories].map(([from, to]) => [to, from]))
  return changes.flatMap((change) => {
    if (change.kind === 'times') return []
    const rule = deferred(change)
    const rules = violationsOf(change, moved, rule)
    const gone = change.kind === 'deleted' && (moved.intact.has(change) || moved.changed.has(change))
    const from = movedFrom(change, moved, origins)
    return {
      change,
      kind: gone ? undefined : from ? 'moved' : change.kind,
      deferred: rule,
      rules,
      ...(from && { from }),
    }
  })
}

function movedFrom(change: Change, moved: MovedPaths, origins: ReadonlyMap<Change, Change>): Change | undefined {
  if (change.kind !== 'added') return undefined
  const from = origins.get(change) ?? change.movedFrom ?? change.copyOf
  return from && (moved.intact.has(from) || moved.changed.has(from)) ? from : undefined
}

/** Entries below a directory that came, went or moved, by the row that stands for them; that row stands for itself too. */
function collapseRows(rows: readonly Row[], over: number): ReadonlyMap<Row, Row> {
  const owners = new Map<Row, Row>()
  for (const { top, below } of wholeDirectories(rows)) {
    if (below.length <= over) continue
    owners.set(top, top)
    for (const row of below) owners.set(row, top)
  }
  return owners
}

/** The outermost directories with the rows of the same kind below each. Sorted by path, what is below follows. */
function wholeDirectories(rows: readonly Row[]): { top: Row; below: Row[] }[] {
  const found: { top: Row; below: Row[] }[] = []
  let open: { top: Row; below: Row[]; path: Buffer } | undefined
  for (const row of rows) {
    const { change, kind } = row
    const path = fullPath(change)
    if (open && isWithin(path, open.path)) {
      if (kind === open.top.kind) open.below.push(row)
      continue
    }
    const isDirectory = (change.after ?? change.before)?.type === 'directory'
    open =
      isDirectory && (kind === 'added' || kind === 'deleted' || kind === 'moved')
        ? { top: row, below: [], path }
        : undefined
    if (open) found.push(open)
  }
  return found
}

function entriesOf(owners: ReadonlyMap<Row, Row>, row: Row): number | undefined {
  if (owners.get(row) !== row) return undefined
  let entries = -1
  for (const owner of owners.values()) if (owner === row) entries++
  return entries
}

function toEffect(row: Row, { entries, diff }: { entries: number | undefined; diff: ListOptions['diff'] }): Effect {
  const { change, from, deferred } = row
  const before = from?.before ?? change.before
  const { path, pathBase64 } = from ? wirePath(fullPath(from)) : { path: '', pathBase64: undefined }
  const patch = entries === undefined ? diff(change) : undefined
  return {
    ...wirePath(fullPath(change)),
    kind: row.kind ?? 'deleted',
    ...(before && { before: fileState(before) }),
    ...(change.after && { after: fileState(change.after) }),
    ...(from && { from: path }),
    ...(pathBase64 !== undefined && { fromBase64: pathBase64 }),
    ...(entries !== undefined && { collapsed: entries }),
    ...(isEmptied(change) && { emptied: true }),
    ...(deferred !== undefined && { deferred }),
    ...(entries === undefined && change.sha256 !== undefined && { sha256: change.sha256 }),
    ...(patch !== undefined && { diff: patch }),
  }
}

function fileState({ type, size, mode, uid, gid, mtimeNs, xattrs, target }: EntryState): FileState {
  return {
    type,
    size,
    mode,
    uid,
    gid,
    mtimeMs: Number(mtimeNs / 1_000_000n),
    ...(xattrs.size > 0 && { xattrs: [...xattrs.keys()] }),
    ...(target && { target: target.toString() }),
  }
}

/** Violations, a bounded number of each rule, but at least one of each that occurs. */
class Violations {
  readonly list: EffectList['violations'] = []
  readonly #seen = new Map<ViolationRule, number>()
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  addTooLarge(first: Buffer): void {
    this.list.push({ ...wirePath(first), rule: 'too-large' })
  }

  /** What the row that stands for this one breaks too is not said again. */
  add(row: Row, owner: Row | undefined): void {
    for (const rule of row.rules) {
      if (owner?.rules.includes(rule)) continue
      const seen = this.#seen.get(rule) ?? 0
      this.#seen.set(rule, seen + 1)
      if (seen < this.#limit) this.list.push({ ...wirePath(fullPath(row.change)), rule })
    }
  }
}
