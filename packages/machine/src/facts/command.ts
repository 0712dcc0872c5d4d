import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { withTimeLimit } from './time-limit.ts'

const run = promisify(execFile)

/** Untranslated output, and programs of the system only, whatever the daemon was started with. */
const environment = {
  LANG: 'C',
  LC_ALL: 'C',
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin',
}
/** Less than a part of the facts may take, so that what hangs is named. */
const limitMs = 4_000
const maxOutputBytes = 4 * 1024 * 1024

/**
 * What a program of the system prints on stdout. It gets 4 seconds, 4 MiB and no shell; a failure, a longer output and
 * an aborted signal reject, and the program is killed.
 */
export async function readCommand(file: string, argv: readonly string[], signal: AbortSignal): Promise<string> {
  const options = { env: environment, killSignal: 'SIGKILL', maxBuffer: maxOutputBytes } as const
  const { stdout } = await withTimeLimit((limit) => run(file, argv, { ...options, signal: limit }), { limitMs, signal })
  return stdout
}
