import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

/** Writes a text with its own hash behind. It is on the disk when the file and its directory were synced, in any order. */
export function writeSealed(path: string, text: string): void {
  writeFileSync(path, `${text}\n${hashOf(text)}`, { mode: 0o600 })
}

/** The text of a sealed file; undefined where there is none, or not all of it: then it was never synced. */
export function readSealed(path: string): string | undefined {
  if (!existsSync(path)) return undefined
  const content = readFileSync(path, 'utf8')
  const at = content.lastIndexOf('\n')
  const text = content.slice(0, Math.max(at, 0))
  return content.slice(at + 1) === hashOf(text) ? text : undefined
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
