import type { Dirent } from 'node:fs'
import { opendir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isOfKernel } from './file-identity.ts'
import { unbound } from './unbound.ts'

/** What may still be looked at for one command. */
export interface Budget {
  /** Names in directories that patterns are held against. */
  names: number
  readonly signal: AbortSignal
}

/** Whether a shell may make several words of it. */
export function isPattern(word: string): boolean {
  return /[*?[]/.test(word)
}

/**
 * What a pattern fits, and more: a leading dot is no exception, and a bracket is any characters. Throws `unsupported` for one that
 * fits at any depth, and once the budget is used up.
 */
export async function fitting(base: string, pattern: string, budget: Budget): Promise<string[]> {
  const parts = pattern.split('/').filter((each) => each !== '' && each !== '.')
  if (parts.includes('**'))
    throw unbound('A pattern with ** fits files at any depth, so that nobody can approve it; name the directories.')
  let found = [pattern.startsWith('/') ? '/' : base]
  for (const part of parts) {
    const next: string[] = []
    for (const directory of found) {
      if (isPattern(part)) next.push(...(await fittingIn(directory, part, budget)))
      else next.push(join(directory, part))
    }
    found = next
  }
  return found
}

async function fittingIn(directory: string, part: string, budget: Budget): Promise<string[]> {
  const real = await realpath(directory).catch(() => undefined)
  if (real === undefined || isOfKernel(real) || !(await stat(real).catch(() => undefined))?.isDirectory()) return []
  const simple = part.replace(/\[.*\]/, '*')
  const found: string[] = []
  for await (const { name } of await entriesOf(directory)) {
    budget.names -= 1
    if (budget.names < 0)
      throw unbound('The patterns of the command fit among too many files to be approved; name the files.')
    budget.signal.throwIfAborted()
    if (fits(name, simple)) found.push(join(directory, name))
  }
  return found
}

async function entriesOf(directory: string): Promise<AsyncIterable<Dirent>> {
  try {
    return await opendir(directory, { bufferSize: 256 })
  } catch (cause) {
    throw unbound(
      `The directory ${directory}, in which a pattern of the command looks, cannot be read: ${cause instanceof Error ? cause.message : ''}`,
    )
  }
}

/** `*` stands for any characters, `?` for one. At most their product of steps, whatever they are. */
function fits(name: string, pattern: string): boolean {
  let [at, star, resumed] = [0, -1, 0]
  for (let index = 0; index < name.length;) {
    if (pattern[at] === '*') {
      star = at
      resumed = index
      at += 1
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === name[index])) {
      at += 1
      index += 1
    } else if (star >= 0) {
      resumed += 1
      index = resumed
      at = star + 1
    } else return false
  }
  return /^\**$/.test(pattern.slice(at))
}
