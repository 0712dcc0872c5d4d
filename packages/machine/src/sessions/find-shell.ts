import { accessSync, constants, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { CmdopError } from '@cmdop/protocol'

/** What every Unix has. */
const LAST_SHELL = '/bin/sh'

/** Path of a shell: a path as it is, a name by the PATH, by default the login shell of the daemon's user. Throws `command_not_found`. */
export function findShell(wanted: string | undefined, environment: Readonly<Record<string, string>>): string {
  if (wanted === undefined) return [loginShell(), LAST_SHELL].find(isProgram) ?? LAST_SHELL
  const folders = (environment['PATH'] ?? '').split(':').filter(isAbsolute)
  const found = wanted.includes('/') ? wanted : folders.map((folder) => join(folder, wanted)).find(isProgram)
  if (found !== undefined && isAbsolute(found) && isProgram(found)) return found
  throw new CmdopError('command_not_found', `The machine has no shell ${wanted}; give a name on its PATH, or a path.`)
}

/** Throws `exec_failed` for what a shell cannot start in. */
export function assertDirectory(path: string): void {
  try {
    if (!statSync(path).isDirectory()) throw new Error('It is no directory.')
    accessSync(path, constants.X_OK)
  } catch (cause) {
    throw new CmdopError('exec_failed', `The directory ${path} does not exist on the machine, or cannot be entered.`, {
      cause,
      details: { cwd: path },
    })
  }
}

function loginShell(): string {
  try {
    return userInfo().shell ?? LAST_SHELL
  } catch {
    // A user without an entry, as in some containers.
    return LAST_SHELL
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
