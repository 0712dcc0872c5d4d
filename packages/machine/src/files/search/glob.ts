/**
 * A glob as a regular expression over a whole name or path: `*` and `?` stay within a name, `**` does not; `[...]` and
 * `[!...]` are sets. Everything else means itself.
 */
export function globToRegExp(glob: string, { ignoreCase }: { ignoreCase: boolean }): RegExp {
  let source = ''
  // More of the same means the same, and takes for ever to find out that nothing fits.
  const short = glob.replaceAll(/\*{3,}/g, '**').replaceAll(/(?:\*\*\/){2,}/g, '**/')
  for (let at = 0; at < short.length;) {
    const [part, length] = nextPart(short, at)
    source += part
    at += length
  }
  return new RegExp(`^${source}$`, ignoreCase ? 'is' : 's')
}

function nextPart(glob: string, at: number): [source: string, length: number] {
  if (glob.startsWith('**/', at)) return ['(?:.*/)?', 3]
  if (glob.startsWith('**', at)) return ['.*', 2]
  const character = glob.charAt(at)
  if (character === '*') return ['[^/]*', 1]
  if (character === '?') return ['[^/]', 1]
  const set = character === '[' ? /^\[(!?)(\]?[^\]]*)\]/.exec(glob.slice(at)) : null
  if (set !== null) return [setSource(set[1] === '!', set[2] ?? ''), set[0].length]
  return [escapeRegExp(character), 1]
}

function setSource(isNegated: boolean, members: string): string {
  const escaped = members.replace(/[\\\]^[]/g, '\\$&')
  return escaped === '' ? '(?!)' : `(?!/)[${isNegated ? '^' : ''}${escaped}]`
}

/** A text as the source of a regular expression that finds it. */
export function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}
