import { spawn } from 'node:child_process'
import type { ProcessExit, SpawnedProcess, SpawnRequest } from './spawned-process.ts'

/** Starts a process with Node's own means, which is right everywhere. Rejects with the system's error. */
export async function spawnPortable(request: SpawnRequest): Promise<SpawnedProcess> {
  const { file, args, cwd, env, stdin } = request
  const child = spawn(file, args, { cwd, env, stdio: [stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'], detached: true })
  const exit = new Promise<ProcessExit>((resolve) =>
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal })),
  )
  const started = Promise.withResolvers<void>()
  child.once('error', started.reject)
  child.once('spawn', started.resolve)
  await started.promise
  const { pid, stdout, stderr } = child
  if (pid === undefined || stdout === null || stderr === null)
    throw new Error('Node gave a process without pid or pipes.')
  return { pid, stdin: child.stdin, stdout, stderr, exit }
}
