import { randomBytes } from 'node:crypto'
import type { SessionOpenParams } from '@cmdop/protocol'
import { CALL_MARKER } from '../exec/marked-processes.ts'
import type { Pty } from './pty/pty.ts'
import { prepareShell } from './shell/prepare-shell.ts'
import { ShellDriver } from './shell/shell-driver.ts'
import type { ShellFiles } from './shell/shell-files.ts'

/** A shell that is ready to be started in a terminal. */
export interface ShellStart {
  /** Path of the shell. */
  readonly file: string
  readonly args: readonly string[]
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>
  /** What runs commands in it, once it is started; undefined for a shell that we do not know. */
  createDriver(pty: Pty, shownBytes: () => number): ShellDriver | undefined
  /** Removes what was made for it, once it has ended. */
  dispose(): Promise<void>
}

export interface ShellStartOptions {
  readonly file: string
  /** What its environment starts from, and what changes it. */
  readonly environment: Readonly<Record<string, string>>
  readonly change: SessionOpenParams['env']
  /** Value of {@link CALL_MARKER}. */
  readonly marker: string
  /** Made for it alone. */
  readonly files: ShellFiles
}

/** Prepares an interactive shell whose commands we can tell apart. */
export async function createShellStart(options: ShellStartOptions): Promise<ShellStart> {
  const { file, files } = options
  const { folder } = files
  const nonce = randomBytes(16).toString('hex')
  const { args, env, integration } = prepareShell({ shell: file, nonce, folder, env: shellEnvironment(options) })
  for (const { name, text } of integration?.files ?? []) await files.write(name, text)
  return {
    file,
    args,
    env,
    createDriver: (terminal, shownBytes) =>
      integration === undefined ? undefined : new ShellDriver({ integration, nonce, files, terminal, shownBytes }),
    dispose: () => files.dispose(),
  }
}

/** As a command gets it, and what a terminal adds: its type, and an encoding that shows every character. */
function shellEnvironment({ environment, change = {}, marker }: ShellStartOptions): Record<string, string> {
  const merged: Record<string, string | null> = { TERM: 'xterm-256color', ...environment, ...change }
  const hasEncoding = ['LANG', 'LC_ALL', 'LC_CTYPE'].some((name) => typeof merged[name] === 'string')
  if (!hasEncoding && !('LANG' in change)) merged['LANG'] = 'C.UTF-8'
  merged[CALL_MARKER] = marker
  return Object.fromEntries(Object.entries(merged).filter((entry): entry is [string, string] => entry[1] !== null))
}
