import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import type { RemoteMachine, TransferOptions, TransferResult } from '@cmdop/core'
import { CmdopError, isCmdopError } from '@cmdop/protocol'
import { connectMachine } from '../connect.ts'
import { exitCodes } from '../exit-codes.ts'
import { showProgress } from '../progress.ts'
import { say, writeJson } from '../terminal.ts'

export interface CpFlags {
  recursive?: boolean
  resume?: boolean
  preserve?: boolean
  json?: boolean
}

/** One side of a copy: a path of this computer, or of a machine. */
interface Side {
  readonly machine: RemoteMachine | undefined
  readonly path: string
}

/** `cmdop cp <source> <destination>`: files between this computer and machines; progress goes to stderr. */
export async function cpCommand(
  source: string,
  destination: string,
  { signal, ...flags }: CpFlags & { signal: AbortSignal },
): Promise<number> {
  await using opened = new AsyncDisposableStack()
  const open = async (text: string): Promise<Side> => {
    const { machine, path } = parseSide(text)
    if (machine === undefined) return { machine, path: resolve(path) }
    return { machine: opened.use(await connectMachine(machine, signal)).machine, path }
  }
  const from = await open(source)
  const given = await open(destination)
  if (from.machine === undefined && given.machine === undefined)
    throw new CmdopError('config', 'Expected a machine on one side: <machine>:<path>. On this computer, use cp.')
  const to = { ...given, path: await placeOf(from, given, signal) }
  const progress = flags.json === true ? undefined : showProgress(process.stderr)
  const options: TransferOptions = { ...flags, signal, ...(progress && { onProgress: progress.update }) }
  const result = await copy(from, to, options).finally(() => progress?.end())
  if (flags.json === true) await writeJson({ from: shown(from), to: shown(to), ...result })
  else await warn(result)
  return result.skipped.length === 0 ? exitCodes.ok : exitCodes.failed
}

function copy(from: Side, to: Side, options: TransferOptions): Promise<TransferResult> {
  if (from.machine === undefined && to.machine !== undefined)
    return to.machine.files.upload(from.path, to.path, options)
  if (from.machine !== undefined && to.machine === undefined)
    return from.machine.files.download(from.path, to.path, options)
  if (from.machine === undefined || to.machine === undefined) throw new CmdopError('config', 'Expected a machine.')
  return from.machine.files.copyTo(from.path, { files: to.machine.files, path: to.path }, options)
}

/** As with scp: a colon before the first slash ends the name of a machine; a file with a colon is `./a:b`. */
function parseSide(text: string): { machine: string | undefined; path: string } {
  const [, machine, path = ''] = /^([^/\\:]+):(.*)$/s.exec(text) ?? []
  if (machine === undefined || isDrive(machine)) return { machine: undefined, path: text }
  if (path.startsWith('/')) return { machine, path }
  throw new CmdopError('config', `Expected an absolute path on ${machine}, such as ${machine}:/tmp, got "${path}".`)
}

function isDrive(name: string): boolean {
  return process.platform === 'win32' && name.length === 1
}

/** A directory that is there gets the source under its own name, as with cp. */
async function placeOf(from: Side, to: Side, signal: AbortSignal): Promise<string> {
  if (!(await isDirectory(to, signal))) return to.path
  const name = basename(from.path)
  if (name !== '') return `${to.path.replace(/\/+$/, '')}/${name}`
  throw new CmdopError('config', `Expected a source with a name to put into ${to.path}, got the root.`)
}

async function isDirectory({ machine, path }: Side, signal: AbortSignal): Promise<boolean> {
  try {
    if (machine === undefined) return (await stat(path)).isDirectory()
    return (await machine.files.stat(path, { follow: true, signal })).type === 'directory'
  } catch (error) {
    if (!isCmdopError(error) || error.code === 'not_found') return false
    throw error
  }
}

function shown({ machine, path }: Side): { machine: { id: string; name: string } | null; path: string } {
  return { machine: machine === undefined ? null : { id: machine.id, name: machine.name }, path }
}

async function warn({ skipped, changed }: TransferResult): Promise<void> {
  for (const { path, reason } of skipped) await say(`cmdop: not copied: ${path} (${reason})`)
  for (const path of changed) await say(`cmdop: was written to while it was copied: ${path || 'the file'}`)
}
