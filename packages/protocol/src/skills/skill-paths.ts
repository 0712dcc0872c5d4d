/** Files of one skill at most. */
export const MAX_SKILL_FILES = 200

/** Bytes of one file of a skill at most. */
export const MAX_SKILL_FILE_BYTES = 512 * 1024

/** Bytes of all files of a skill together at most. */
export const MAX_SKILL_BYTES = 1024 * 1024

/** Bytes of its `SKILL.md` at most: it is read by models. */
export const MAX_SKILL_TEXT_BYTES = 64 * 1024

/** The file that makes a folder a skill. */
export const SKILL_FILE = 'SKILL.md'

/** Characters of a path, and folders that it leads through, at most. */
const MAX_PATH = 240
const MAX_DEPTH = 12

/** Control and format characters (which turn the direction of what is read), and what other systems separate names by. */
const FORBIDDEN = /[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\\:*?"<>|]/u

/** Why a path may not be in a skill; undefined: it may. Paths are relative to its folder, with `/` between names. */
export function skillPathIssue(path: string): string | undefined {
  if (path === '') return 'The path is empty.'
  if (path.length > MAX_PATH) return `The path is longer than ${MAX_PATH} characters.`
  if (!path.isWellFormed() || path.normalize('NFC') !== path)
    return 'The path is not Unicode in its composed form (NFC).'
  if (path.startsWith('/')) return 'The path is absolute; name it from the folder of the skill.'
  if (FORBIDDEN.test(path)) return 'The path has a character that no name in a skill may have.'
  const names = path.split('/')
  if (names.length > MAX_DEPTH) return `The path leads through more than ${MAX_DEPTH} folders.`
  if (names.some((name) => name === '' || name === '.' || name === '..'))
    return 'The path has a name that is empty, "." or "..".'
  if (names.some((name) => /^\s|[\s.]$/.test(name)))
    return 'A name in the path begins with a space, or ends with one or a dot.'
  return undefined
}

/**
 * Paths among these that would be the same file on a system that does not tell letter cases apart, or a file and a folder
 * at once: the one that comes later.
 */
export function collidingPaths(paths: readonly string[]): ReadonlySet<string> {
  const known = new Map<string, { readonly path: string; readonly isFile: boolean }>()
  const colliding = new Set<string>()
  for (const path of paths) {
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) {
      const folder = path.slice(0, end)
      const other = known.get(folded(folder))
      if (other === undefined) known.set(folded(folder), { path: folder, isFile: false })
      else if (other.isFile || other.path !== folder) colliding.add(path)
    }
    if (known.has(folded(path))) colliding.add(path)
    else known.set(folded(path), { path, isFile: true })
  }
  return colliding
}

function folded(path: string): string {
  return path.normalize('NFKC').toLowerCase()
}
