import { CmdopError, MAX_ACTION_WORDS } from '@cmdop/protocol'

/** Characters of a word in which braces are looked for: no path is longer. */
const MAX_LENGTH = 4096

/**
 * What a shell with braces makes of a word: `{a,b}.sh` is `a.sh` and `b.sh`, `{1..3}` is `1`, `2` and `3`; a step leaves none out.
 * The word itself, where there are none. Throws `unsupported` for more than can be looked at.
 */
export function expandBraces(word: string): string[] {
  if (word.length > MAX_LENGTH) return [word]
  for (let start = word.indexOf('{'); start >= 0; start = word.indexOf('{', start + 1)) {
    const group = word[start - 1] === '$' ? undefined : groupAt(word, start)
    if (group === undefined) continue
    const rest = expandBraces(word.slice(group.end))
    const middles = group.parts.flatMap(expandBraces)
    if (middles.length * rest.length > MAX_ACTION_WORDS) throw tooMany()
    return middles.flatMap((middle) => rest.map((end) => `${word.slice(0, start)}${middle}${end}`))
  }
  return [word]
}

/** The alternatives between these braces, and where they end; undefined where they are no alternatives. */
function groupAt(word: string, start: number): { parts: string[]; end: number } | undefined {
  const parts: string[] = []
  let depth = 0
  let from = start + 1
  for (let index = start; index < word.length; index += 1) {
    const character = word[index]
    if (character === '{') depth += 1
    if (character === '}') depth -= 1
    if (depth > 1 || (depth === 1 && character !== ',')) continue
    parts.push(word.slice(from, index))
    from = index + 1
    if (depth > 0) continue
    const range = parts.length === 1 ? rangeOf(parts[0] ?? '') : parts
    return range === undefined ? undefined : { parts: range, end: index + 1 }
  }
  return undefined
}

function rangeOf(text: string): string[] | undefined {
  const [, one = '', other = ''] = /^(-?\d{1,9}|[A-Za-z])\.\.(-?\d{1,9}|[A-Za-z])(?:\.\.-?\d+)?$/.exec(text) ?? []
  const isNumber = /\d/.test(one)
  if (one === '' || isNumber !== /\d/.test(other)) return undefined
  const [low = 0, high = 0] = [one, other]
    .map((end) => (isNumber ? Number(end) : end.charCodeAt(0)))
    .toSorted((a, b) => a - b)
  if (high - low >= MAX_ACTION_WORDS) throw tooMany()
  const values = Array.from({ length: high - low + 1 }, (_, index) => low + index)
  if (!isNumber) return values.map((value) => String.fromCharCode(value))
  const width = Math.max(one.length, other.length)
  const padded = (value: number) =>
    `${value < 0 ? '-' : ''}${String(Math.abs(value)).padStart(value < 0 ? width - 1 : width, '0')}`
  return values.flatMap((value) => [String(value), padded(value)])
}

function tooMany(): CmdopError {
  return new CmdopError(
    'unsupported',
    'A command whose braces stand for so many words cannot be approved; write them out.',
  )
}
