import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
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
  /** Where a command runs that names no directory. */
  readonly home: string
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
  if (method === 'file.write' && FileWriteParams.parse(params).sha256 === undefined)
    throw unbound('A file whose content is not announced by its sha256 cannot be approved; write it with `sha256`.')
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
  { machineId, home, restrictionsOf }: Surroundings,
): Promise<Pick<ApprovableAction, 'command' | 'params' | 'cwd' | 'environment' | 'files' | 'restrictions'>> {
  if (stdin)
    throw unbound(
      'A command that reads stdin cannot be approved: nobody has seen what it would read. Put it in a file.',
    )
  const directory = cwd ?? home
  const ofSession = showIn === undefined ? undefined : restrictionsOf(showIn, permit)
  const held = mergeRestrictions(ofSession, heldRestrictions(restrictions, permit))
  const environment = await hashedEnvironment(machineId, env)
  const files = await boundFiles(directory, words)
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

/** The files among these words, each once, in order of path. A command that is changed by them is changed by their content. */
async function boundFiles(directory: string, words: readonly string[]): Promise<BoundFile[]> {
  const paths = [...new Set(words.map((word) => resolve(directory, word)))].toSorted()
  const files: BoundFile[] = []
  for (const path of paths) {
    const identity = await identityOf(path)
    if (identity !== undefined) files.push({ path, identity })
  }
  return files
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
