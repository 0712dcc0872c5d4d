import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { digestLocal, type Machine, type RemoteMachine, type TransferResult } from '@cmdop/core'
import { CmdopError, isRetryable, toCmdopError } from '@cmdop/protocol'
import type { Done, Job, JobContext } from '../../run/conduct.ts'
import type { FleetMachine } from '../../run/fleet-row.ts'
import type { JobSite } from '../kind.ts'
import { watchdog } from '../watchdog.ts'
import { type CopyPlan, remotePathOf } from './copy-plan.ts'
import type { LocalSource } from './local-source.ts'

/** What was copied to, or from, one machine. */
export interface CopyResult {
  /** On the machine. */
  readonly path: string
  /** On the computer of the script. */
  readonly localPath: string
  /** SHA-256, hex: of a file that of its content, of a directory see `LocalDigest`. */
  readonly sha256: string
  readonly bytes: number
  /** Bytes of files that were there already. */
  readonly unchangedBytes: number
  readonly files: number
  readonly directories: number
  readonly links: number
  /** What is no file, directory or link, or could not be read. */
  readonly skipped: TransferResult['skipped']
}

export interface CopyJobOptions extends JobSite<CopyResult> {
  readonly plan: CopyPlan
  readonly approval: Parameters<NonNullable<Machine['as']>>[0]['approval']
  /** Of what goes to the machines; undefined: it comes from them. */
  readonly source: LocalSource | undefined
}

/** Files to each machine, or from it. The same again sends nothing that is there already. */
export function copyJob(job: CopyJobOptions): Job<CopyResult> {
  return {
    hasManyCalls: true,
    run: async (machine, context) => {
      const deadline = watchdog(job.timeoutMs, context)
      try {
        return await deadline.race(copy(job, machine, { ...context, signal: deadline.signal }))
      } catch (cause) {
        return failedBy(toCmdopError(cause, 'server', 'The script met a fault of its own.'))
      } finally {
        deadline.end()
      }
    },
  }
}

async function copy(job: CopyJobOptions, machine: FleetMachine, { signal }: JobContext): Promise<Done<CopyResult>> {
  const { plan, source } = job
  const { recursive, preserve, overwrite, createParents, local } = plan
  const files = filesOf(job, machine)
  const path = remotePathOf(plan, machine)
  const options = { recursive, preserve, overwrite, createParents, resume: true, signal }
  if (source !== undefined) {
    await source.assertSame(signal)
    const sent = await files.upload(local, path, options)
    // What was written to meanwhile is not what was to be copied.
    await source.assertSame(signal)
    return doneBy(sent, { path, localPath: local, sha256: plan.content?.sha256 ?? '' })
  }
  await mkdir(local, { recursive: true })
  const localPath = join(local, folderNameOf(machine))
  const got = await files.download(path, localPath, options)
  const { sha256 } = await digestLocal(localPath, { recursive, signal })
  return doneBy(got, { path, localPath, sha256 })
}

/** Throws what can be tried again: it can be copied twice. What a file system says tells nothing of the machine. */
function failedBy(error: CmdopError): Done<CopyResult> {
  const { code, message, details } = error
  if (details['errno'] !== undefined) return { outcome: 'failed', result: null, error }
  if (error.retryable || !isRetryable(code, { idempotent: true })) throw error
  throw new CmdopError(code, message, { cause: error, details, idempotent: true })
}

function doneBy(
  { files, directories, links, bytes, unchangedBytes, skipped }: TransferResult,
  about: Pick<CopyResult, 'path' | 'localPath' | 'sha256'>,
): Done<CopyResult> {
  const result = { ...about, bytes, unchangedBytes, files, directories, links, skipped }
  return { outcome: skipped.length === 0 ? 'ok' : 'failed', result }
}

function filesOf({ client, approval }: CopyJobOptions, machine: FleetMachine): RemoteMachine['files'] {
  const handle = client.handle(machine)
  const { files } = approval === undefined ? handle : (handle.as?.({ approval }) ?? handle)
  if ('upload' in files) return files as RemoteMachine['files']
  throw new CmdopError('unsupported', 'Files are copied by a client in Node.')
}

/** Its name, where that cannot lead anywhere else. */
function folderNameOf({ id, name }: FleetMachine): string {
  return /^[\w][\w.-]*$/.test(name) ? name : id
}
