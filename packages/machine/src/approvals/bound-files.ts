import { once } from 'node:events'
import { realpath, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { BoundFile } from '@cmdop/protocol'
import { identityOf } from './file-identity.ts'
import { type Budget, fitting, isPattern } from './fitting.ts'
import { unbound } from './unbound.ts'

/** For one command: paths that are looked at, names that patterns are held against, bytes that are read, milliseconds. */
const MAX_PATHS = 20_000
const MAX_NAMES = 50_000
const MAX_BYTES = 1024 * 1024 * 1024
const MAX_MS = 20_000

/** What is another place to who looks than to the command. */
const OWN_PLACES = /^\/+(?:proc\/.*\/(?:cwd|root|fd|map_files)|dev\/(?:fd|stdin))(?:\/|$)/

/**
 * The files that these words name, each once, in order of path: from the directory of the command, from home, and from every directory
 * to which the words lead, one after the other, because a command may change to it first. `~` is home, and a pattern stands for the
 * files that it fits. Throws `unsupported` for more than can be looked at.
 */
export async function boundFiles(
  places: { directory: string; home: string },
  words: readonly string[],
): Promise<BoundFile[]> {
  const signal = AbortSignal.timeout(MAX_MS)
  const found = filesOf(places, words, { names: MAX_NAMES, signal })
  const late = once(signal, 'abort').then(() => {
    throw unbound('To look at the files that the command names takes too long; name fewer, or smaller ones.')
  })
  return await Promise.race([found, late])
}

async function filesOf(
  { directory, home }: { directory: string; home: string },
  words: readonly string[],
  budget: Budget,
): Promise<BoundFile[]> {
  const named = words.map((word) => (word === '~' || word.startsWith('~/') ? `${home}${word.slice(1)}` : word))
  const patterns = named.filter(isPattern)
  const relative = patterns.filter((word) => !word.startsWith('/'))
  const candidates = new Set<string>()
  const bases = new Set([directory, home])
  // What is added meanwhile comes along.
  for (const base of bases) {
    for (const path of await pathsOf(base, named)) {
      budget.signal.throwIfAborted()
      if (OWN_PLACES.test(path))
        throw unbound(`What ${path} is, which the command names, is known only once it runs; name the file itself.`)
      if (candidates.has(path)) continue
      candidates.add(path)
      assertFew(candidates)
      if (await isDirectory(path)) for (const each of [path, await realpath(path).catch(() => path)]) bases.add(each)
    }
    for (const pattern of base === directory ? patterns : relative)
      for (const path of await fitting(base, pattern, budget)) candidates.add(path)
    assertFew(candidates)
  }
  return await identified([...candidates].toSorted(), budget.signal)
}

/** What words are there by their text, and by the links on the way, which the kernel follows before `..`. */
async function pathsOf(base: string, words: readonly string[]): Promise<string[]> {
  const paths = words.map((word) => resolve(base, word))
  for (const word of words) {
    if (!word.includes('..')) continue
    const real = await realpath(word.startsWith('/') ? word : `${base}/${word}`).catch(() => undefined)
    if (real !== undefined) paths.push(real)
  }
  return paths
}

async function identified(paths: readonly string[], signal: AbortSignal): Promise<BoundFile[]> {
  const files: BoundFile[] = []
  let sum = 0
  for (const path of paths) {
    const found = await identityOf(path, signal)
    if (found === undefined) continue
    files.push({ path, identity: found.identity })
    sum += found.bytes
    if (sum > MAX_BYTES) throw unbound('The files that the command names are too large to be approved.')
  }
  return files
}

function assertFew(candidates: ReadonlySet<string>): void {
  if (candidates.size > MAX_PATHS) throw unbound('The command names too many files to be approved.')
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true
}
