import { createHash } from 'node:crypto'
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
  mergeRestrictions,
  methods,
  type Permit,
  type Restrictions,
} from '@cmdop/protocol'
import { z } from 'zod'
import { heldRestrictions } from '../restricted/held-restrictions.ts'
import { boundFiles } from './bound-files.ts'
import { identityOf } from './file-identity.ts'
import { unbound } from './unbound.ts'

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
  { command, cwd, env = {}, stdin, showIn, restrictions, skill }: ExecParams,
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
  // A skill is bound by the digest of all its files, whichever of them the command names.
  const params = skill === undefined ? null : { skill }
  return { command, params, cwd: directory, environment, files, restrictions: held }
}

/** Variables by name; their values are known by their hash only. What a command loads from a file counts by its content. */
async function hashedEnvironment(machineId: string, env: unknown): Promise<ApprovableAction['environment']> {
  const variables = Object.entries(EnvironmentChange.parse(env ?? {})).toSorted(([one], [other]) =>
    one < other ? -1 : 1,
  )
  const hashed = async (name: string, value: string | null) => {
    if (value === null) return null
    const counted = name === CARRY_FILE ? ((await identityOf(value))?.identity ?? '') : value
    return sha256(environmentText({ machineId, name, value: counted }))
  }
  return await Promise.all(variables.map(async ([name, value]) => ({ name, sha256: await hashed(name, value) })))
}

/** What is typed, or done in a shell that others use, is not known before. */
function isBindable(method: string): boolean {
  if (method === 'session.execute') return false
  return (
    method === 'exec' ||
    method === 'file.write' ||
    method === 'skill.install' ||
    !isMethodName(method) ||
    !methods[method].input
  )
}

/** What is copied or moved, as it is now; of a directory nobody knows all that. */
async function sourceOf({ from }: FileTransferParams, method: string): Promise<BoundFile[]> {
  const found = typeof from === 'string' ? await identityOf(from) : undefined
  if (typeof from !== 'string' || found === undefined)
    throw unbound(`${method} can be approved for one file that is there, named by its path; use a command for more.`)
  return [{ path: from, identity: found.identity }]
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
