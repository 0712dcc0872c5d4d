import { createHash } from 'node:crypto'
import { createReadStream, globSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import {
  type ActionDescribeParams,
  type ApprovableAction,
  approvableText,
  type BoundFile,
  CARRY_FILE,
  CmdopError,
  EffectApplyParams,
  EnvironmentChange,
  environmentText,
  ExecParams,
  FileTransferParams,
  FileWriteParams,
  isMethodName,
  MAX_HASHED_FILE_BYTES,
  mergeRestrictions,
  methods,
  type Permit,
  type Restrictions,
} from '@cmdop/protocol'
import { z } from 'zod'
import { heldRestrictions } from '../restricted/held-restrictions.ts'

/** What a description needs to know of this machine. */
export interface Surroundings {
  readonly machineId: string
  /** Where a command runs that names no directory, under these restrictions. */
  readonly homeUnder: (restrictions: Restrictions) => Promise<string>
  /** What a session is held to; undefined for one that nothing restricts. Throws `not_found`. */
  readonly restrictionsOf: (sessionId: string, permit: Permit) => Restrictions | undefined
}

/**
 * What a call does here, whole: for the question whether it may, and again before it does. Throws `validation` for parameters
 * that are none, and `unsupported` for what cannot be bound to a hash before it runs.
 */
export async function describeAction(
  { method, params, words }: ActionDescribeParams,
  permit: Permit,
  surroundings: Surroundings,
): Promise<ApprovableAction> {
  const parsed = parsedParams(method, params)
  const blank = { version: 1 as const, machineId: surroundings.machineId, method, words, command: null, cwd: null }
  const none = { environment: [], files: [], restrictions: {}, effectHash: null }
  if (method === 'exec')
    return { ...blank, ...none, ...(await commandOf(ExecParams.parse(params), words, permit, surroundings)) }
  if (method === 'effect.apply')
    return { ...blank, ...none, params: parsed, effectHash: EffectApplyParams.parse(params).hash }
  if (!isBindable(method))
    throw unbound(
      `What ${method} does cannot be known before it does it, so nobody can approve it; a rule of the policy can allow it.`,
    )
  if (method === 'file.write' && FileWriteParams.parse(params).sha256 === undefined)
    throw unbound('A file whose content is not announced by its sha256 cannot be approved; write it with `sha256`.')
  if (method === 'file.copy' || method === 'file.move')
    return { ...blank, ...none, params: parsed, files: await sourceOf(FileTransferParams.parse(params), method) }
  const { env, ...rest } = parsed
  return { ...blank, ...none, params: rest, environment: await hashedEnvironment(surroundings.machineId, env) }
}

/** SHA-256 of an action, hex. */
export function actionDigest(action: ApprovableAction): string {
  return createHash('sha256').update(approvableText(action)).digest('hex')
}

function parsedParams(method: string, params: Record<string, unknown>): Record<string, unknown> {
  if (!isMethodName(method)) throw new CmdopError('unsupported', `This daemon does not know the method ${method}.`)
  const parsed = methods[method].params.safeParse(params)
  if (!parsed.success)
    throw new CmdopError('validation', `The parameters of ${method} are not valid: ${z.prettifyError(parsed.error)}`)
  return parsed.data
}

async function commandOf(
  { command, cwd, env = {}, stdin, showIn, restrictions }: ExecParams,
  words: readonly string[],
  permit: Permit,
  { machineId, homeUnder, restrictionsOf }: Surroundings,
): Promise<Pick<ApprovableAction, 'command' | 'params' | 'cwd' | 'environment' | 'files' | 'restrictions'>> {
  if (stdin)
    throw unbound(
      'A command that reads stdin cannot be approved: nobody has seen what it would read. Put it in a file.',
    )
  const ofSession = showIn === undefined ? undefined : restrictionsOf(showIn, permit)
  const held = mergeRestrictions(ofSession, heldRestrictions(restrictions, permit))
  const home = await homeUnder(held)
  const directory = cwd ?? home
  const environment = await hashedEnvironment(machineId, env)
  const files = await boundFiles({ directory, home }, words)
  return { command, params: null, cwd: directory, environment, files, restrictions: held }
}

/** Variables by name; their values are known by their hash only. What a command loads from a file counts by its content. */
async function hashedEnvironment(machineId: string, env: unknown): Promise<ApprovableAction['environment']> {
  const variables = Object.entries(EnvironmentChange.parse(env ?? {})).toSorted(([one], [other]) =>
    one < other ? -1 : 1,
  )
  const hashed = async (name: string, value: string | null) => {
    if (value === null) return null
    const counted = name === CARRY_FILE ? ((await identityOf(value)) ?? '') : value
    return sha256(environmentText({ machineId, name, value: counted }))
  }
  return await Promise.all(variables.map(async ([name, value]) => ({ name, sha256: await hashed(name, value) })))
}

/** What is typed, or done in a shell that others use, is not known before. */
function isBindable(method: string): boolean {
  if (method === 'session.execute') return false
  return method === 'exec' || method === 'file.write' || !isMethodName(method) || !methods[method].input
}

/** What is copied or moved, as it is now; of a directory nobody knows all that. */
async function sourceOf({ from }: FileTransferParams, method: string): Promise<BoundFile[]> {
  const identity = typeof from === 'string' ? await identityOf(from) : undefined
  if (typeof from !== 'string' || identity === undefined)
    throw unbound(`${method} can be approved for one file that is there, named by its path; use a command for more.`)
  return [{ path: from, identity }]
}

/**
 * The files among these words, each once, in order of path: from the directory of the command, from home, and from every directory that
 * a word names, because a command may change to it first. `~` is home, and a pattern stands for the files that it fits.
 */
async function boundFiles(
  { directory, home }: { directory: string; home: string },
  words: readonly string[],
): Promise<BoundFile[]> {
  const named = words.map((word) => (word === '~' || word.startsWith('~/') ? `${home}${word.slice(1)}` : word))
  const paths = named.map((word) => resolve(directory, word))
  const isThere = await Promise.all(paths.map(isDirectory))
  const bases = [...new Set([directory, home, ...paths.filter((_, index) => isThere[index])])]
  const candidates = new Set(bases.flatMap((base) => named.flatMap((word) => fitting(base, word))))
  if (candidates.size > MAX_CANDIDATES) throw unbound('The command names too many files to be approved.')
  const files: BoundFile[] = []
  let bytes = 0
  for (const path of [...candidates].toSorted()) {
    const identity = await identityOf(path)
    if (identity === undefined) continue
    files.push({ path, identity })
    bytes += (await stat(path)).size
    if (bytes > MAX_BOUND_BYTES) throw unbound('The files that the command names are too large to be approved.')
  }
  return files
}

/** Paths that are looked at for one command, and bytes of the files there. */
const MAX_CANDIDATES = 20_000
const MAX_BOUND_BYTES = 1024 * 1024 * 1024

function fitting(base: string, word: string): string[] {
  if (!/[*?[]/.test(word)) return [resolve(base, word)]
  try {
    return globSync(word, { cwd: base })
      .slice(0, MAX_CANDIDATES)
      .map((found) => resolve(base, found))
  } catch {
    // It is no pattern, then.
    return []
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true
}

/** Undefined for what is no regular file, or not there. */
async function identityOf(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined)
  if (found?.isFile() !== true) return undefined
  if (found.size > MAX_HASHED_FILE_BYTES) return `${found.dev}:${found.ino}:${found.size}:${found.ctimeNs}`
  const hash = createHash('sha256')
  try {
    for await (const data of createReadStream(path, { end: MAX_HASHED_FILE_BYTES })) hash.update(data)
  } catch (cause) {
    throw unbound(
      `The file ${path}, which the command names, cannot be read: ${cause instanceof Error ? cause.message : ''}`,
    )
  }
  return hash.digest('hex')
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function unbound(message: string): CmdopError {
  return new CmdopError('unsupported', message)
}
