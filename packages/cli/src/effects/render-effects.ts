import type { Effect, EffectList, FileState, Restrictions } from '@cmdop/protocol'

/** Options of `renderEffects`. */
export interface RenderOptions {
  /** Terminal colours. Default: none. */
  readonly colour?: boolean
  /** Lines at most; what is left out is counted. Default: 500. */
  readonly lines?: number
  /** What it was made under: what they forbid is marked. */
  readonly restrictions: Restrictions
}

const marks: Readonly<Record<Effect['kind'], string>> = {
  added: '+',
  deleted: '-',
  modified: '~',
  replaced: '!',
  metadata: '=',
  moved: '>',
}
const colours: Readonly<Record<Effect['kind'], number>> = {
  added: 32,
  deleted: 31,
  modified: 33,
  replaced: 31,
  metadata: 36,
  moved: 34,
}

/**
 * An effect as a tree for a terminal, with diffs, what it breaks, and what could not be previewed. Control characters in names and
 * contents are escaped, so that a file cannot draw on the screen of who decides.
 */
export function renderEffects(
  { violations, ...rest }: EffectList,
  { colour = false, lines = 500, restrictions }: RenderOptions,
): string {
  const list = { ...rest, violations: violations.filter(({ rule }) => isForbidden(rule, restrictions)) }
  const paint = (code: number, text: string) => (colour ? `\u{1b}[${code}m${text}\u{1b}[0m` : text)
  const body = tree(list, paint)
  const shown = body.length > lines ? [...body.slice(0, lines), `... ${body.length - lines} more lines`] : body
  return [...shown, '', ...summary(list, paint)].join('\n')
}

/** The list names what either of the two forbids. */
function isForbidden(rule: string, { noDelete, noOverwrite }: Restrictions): boolean {
  return noOverwrite === true || (noDelete === true && rule !== 'overwritten')
}

type Paint = (code: number, text: string) => string

function tree({ effects, violations }: EffectList, paint: Paint): string[] {
  const broken = new Map<string, string[]>()
  for (const { path, rule } of violations) broken.set(path, [...(broken.get(path) ?? []), rule])
  const lines: string[] = []
  let above: readonly string[] = []
  for (const effect of effects) {
    const parts = effect.path.split('/')
    const directory = parts.slice(0, -1)
    const common = directory.findIndex((part, index) => part !== above[index])
    // Only the directories that the line before was not in.
    for (let depth = common < 0 ? directory.length : common; depth < directory.length; depth++)
      lines.push(`${indent(depth)}  ${printable(directory[depth] ?? '')}/`)
    above = effect.after?.type === 'directory' || effect.before?.type === 'directory' ? parts : directory
    const rules = broken.get(effect.path) ?? []
    lines.push(indent(directory.length) + entryLine(effect, { name: parts.at(-1) ?? '', rules, paint }))
    if (effect.diff !== undefined)
      lines.push(...diffLines(effect.diff, paint).map((line) => `${indent(directory.length)}    ${line}`))
  }
  return lines
}

function entryLine(
  effect: Effect,
  { name, rules, paint }: { name: string; rules: readonly string[]; paint: Paint },
): string {
  const { kind, before, after, from, collapsed, deferred } = effect
  const isDirectory = (after ?? before)?.type === 'directory'
  const title = paint(colours[kind], `${marks[kind]} ${printable(name)}${isDirectory ? '/' : ''}`)
  const notes = [
    from === undefined ? '' : `from ${printable(from)}`,
    collapsed === undefined ? '' : `and ${collapsed} entries in it`,
    after?.target === undefined ? '' : `-> ${printable(after.target)}`,
    changeNote(before, after, kind),
    deferred === undefined ? '' : paint(35, `runs later: ${deferred}`),
    rules.length === 0 ? '' : paint(31, `[${rules.join(', ')}]`),
  ]
  return [title, ...notes.filter(Boolean)].join('  ')
}

function changeNote(before: FileState | undefined, after: FileState | undefined, kind: Effect['kind']): string {
  const size = (state: FileState) =>
    state.type === 'file' ? `${state.size} B` : state.type === 'directory' ? '' : state.type
  if (!before || !after) return size(after ?? before ?? { type: 'directory', size: 0, mode: 0, uid: 0, gid: 0 })
  const notes = []
  if (before.type !== after.type) notes.push(`${before.type} -> ${after.type}`)
  else if (before.size !== after.size) notes.push(`${before.size} -> ${after.size} B`)
  if (before.mode !== after.mode && after.type !== 'symlink')
    notes.push(`mode ${before.mode.toString(8)} -> ${after.mode.toString(8)}`)
  if (before.uid !== after.uid || before.gid !== after.gid)
    notes.push(`owner ${before.uid}:${before.gid} -> ${after.uid}:${after.gid}`)
  if (String(before.xattrs ?? []) !== String(after.xattrs ?? []))
    notes.push(`attributes ${(after.xattrs ?? []).map(printable).join(' ') || 'removed'}`)
  if (notes.length === 0 && kind === 'metadata') notes.push('time or attributes')
  return notes.join(', ')
}

function diffLines(diff: string, paint: Paint): string[] {
  return diff
    .trimEnd()
    .split('\n')
    .slice(2)
    .map((line) =>
      paint(line.startsWith('+') ? 32 : line.startsWith('-') ? 31 : line.startsWith('@') ? 36 : 0, printable(line)),
    )
}

function summary(
  { counts, truncated, violations, unpreviewable, sideEffects, hash }: EffectList,
  paint: Paint,
): string[] {
  const total = Object.entries(counts).map(([kind, count]) => `${count} ${kind}`)
  const lines = [
    total.length === 0 ? 'Nothing would change.' : `${total.join(', ')}${truncated ? ' (not all are listed)' : ''}`,
  ]
  if (violations.length > 0)
    lines.push(
      paint(31, `Forbidden here: ${[...new Set(violations.map(({ rule }) => rule))].map(printable).join(', ')}`),
    )
  for (const { path, why } of unpreviewable) lines.push(`Not previewed: ${printable(path)}: ${printable(why)}`)
  if (sideEffects.network === 'host')
    lines.push('The network was the real one: what was done over it is not shown here.')
  if (sideEffects.networkAttempts > 0)
    lines.push(
      `${sideEffects.networkAttempts} attempts to use the network failed; with one, the effect may be another.`,
    )
  if (sideEffects.backgroundKilled > 0) lines.push(`${sideEffects.backgroundKilled} background processes were ended.`)
  return [...lines, `Hash ${hash}`]
}

/** Control characters, and those that turn the direction of text, as escapes. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (character) => {
    const code = character.charCodeAt(0)
    return code === 9 ? '\t' : code === 10 ? String.raw`\n` : `\\u${code.toString(16).padStart(4, '0')}`
  })
}

function indent(depth: number): string {
  return '  '.repeat(depth)
}
