/** A pattern over one text, in which `*` stands for any characters, and `\` makes the next one plain. */
export interface TextGlob {
  /** Undefined for a pattern without stars: the text itself. */
  readonly pieces: readonly string[] | undefined
  readonly text: string
}

/** Reads a pattern once; there is no expression behind it that could take long. */
export function compileTextGlob(pattern: string): TextGlob {
  const pieces: string[] = ['']
  for (let index = 0; index < pattern.length; index += 1) {
    const character = pattern[index] as string
    if (character === '*') pieces.push('')
    else {
      const plain = character === '\\' && index + 1 < pattern.length ? (pattern[(index += 1)] as string) : character
      pieces[pieces.length - 1] += plain
    }
  }
  return { pieces: pieces.length === 1 ? undefined : pieces, text: pieces[0] ?? '' }
}

/** Whether the whole text fits. Each piece is looked for once, from left to right. */
export function matchesText({ pieces, text: whole }: TextGlob, text: string): boolean {
  if (pieces === undefined) return text === whole
  const last = pieces.at(-1) ?? ''
  if (!text.startsWith(whole) || !text.endsWith(last) || text.length < whole.length + last.length) return false
  let position = whole.length
  for (const piece of pieces.slice(1, -1)) {
    const found = text.indexOf(piece, position)
    if (found < 0) return false
    position = found + piece.length
  }
  return position <= text.length - last.length
}

/** A pattern over an absolute path: `*` within one part of it, `**` for any number of parts. */
export interface PathGlob {
  readonly parts: readonly (TextGlob | '**')[]
  /** The parts before the first star. */
  readonly above: readonly string[]
}

export function compilePathGlob(pattern: string): PathGlob {
  const parts = pattern
    .split('/')
    .filter((part) => part !== '')
    .map((part) => (part === '**' ? part : compileTextGlob(part)))
  const firstStar = parts.findIndex((part) => part === '**' || part.pieces !== undefined)
  const plain = firstStar < 0 ? parts : parts.slice(0, firstStar)
  return { parts, above: plain.map((part) => (part === '**' ? part : part.text)) }
}

/** Whether a normalised path fits. `/srv/**` is `/srv` and everything below it. */
export function matchesPath({ parts }: PathGlob, path: string): boolean {
  const names = path.split('/').filter((name) => name !== '')
  let [part, name, star, resume] = [0, 0, -1, 0]
  while (name < names.length) {
    const pattern = parts[part]
    if (pattern === '**') [star, resume, part] = [part, name, part + 1]
    else if (pattern !== undefined && matchesText(pattern, names[name] as string)) [part, name] = [part + 1, name + 1]
    else if (star >= 0) [part, name, resume] = [star + 1, resume + 1, resume + 1]
    else return false
  }
  return parts.slice(part).every((pattern) => pattern === '**')
}

/** Whether a path is a directory in which everything that fits lies: who deletes it deletes that, too. */
export function isAbove({ above }: PathGlob, path: string): boolean {
  const names = path.split('/').filter((name) => name !== '')
  return names.length <= above.length && names.every((name, index) => name === above[index])
}
