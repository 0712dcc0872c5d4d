import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { SandboxProcess, SandboxRequest } from '@cmdop/sandbox'
import type { FilePlaces } from '../restricted/file-places.ts'

export interface PlainPlaceOptions {
  /** Whether all calls are done in one place. */
  readonly lasting: boolean
  /** What comes after a call, before it is answered; throwing refuses it. */
  readonly judge?: () => Promise<void>
  /** Starts another program than was asked for. */
  readonly change?: (request: SandboxRequest) => SandboxRequest
}

/** Places that are no view but the disk itself, for tests of everything but the view. */
export interface PlainPlaces extends FilePlaces {
  /** What was started, in order. */
  readonly processes: readonly ChildProcess[]
}

export function createPlainPlaces({ lasting, judge, change = (request) => request }: PlainPlaceOptions): PlainPlaces {
  const processes: ChildProcess[] = []
  let entered = 0
  const start = async (request: SandboxRequest): Promise<SandboxProcess> => {
    const { file, args, cwd, env } = change(request)
    const child = spawn(file, args, { cwd, env: { ...env }, stdio: 'pipe' })
    await once(child, 'spawn')
    processes.push(child)
    const exit = once(child, 'exit').then(([exitCode, signal]) => ({ exitCode, signal }))
    const { stdin, stdout, stderr, pid = -1 } = child
    return { pid, exit, stdin, stdout, stderr, kill: (signal) => void child.kill(signal) }
  }
  return {
    processes,
    enter: async (_, use) => {
      entered += 1
      const result = await use({ kind: 'sandbox', id: lasting ? 'view' : `view ${entered}`, lasting, spawn: start })
      await judge?.()
      return { result, effect: undefined }
    },
  }
}
