import { statSync } from 'node:fs'
import { removeTree } from '@cmdop/sandbox'
import { endProcesses } from './end-processes.ts'
import type { Pty, PtyHost } from './pty/pty.ts'
import { createShellStart, type ShellStart, type ShellStartOptions } from './session-shell.ts'
import { createShellFiles } from './shell/shell-files.ts'

/** Where the shells of a session live. */
export interface ShellPlace {
  readonly ptys: PtyHost
  /** The folder for what belongs to the session, as what runs here has it; null where it has none. */
  readonly folder: string | null
  /** Prepares a shell; there may be one after the other. */
  prepareShell(): Promise<ShellStart>
  /** Whether a shell can start there. */
  isDirectory(path: string): Promise<boolean>
  /** Ends a shell and everything that was started in its session. Resolves when it is over, or does not give way. */
  endShell(pty: Pty): Promise<void>
  /** The shell has ended, and the session goes on without. */
  shellEnded(): Promise<void>
  /** The session is over. Never rejects. */
  close(): Promise<void>
}

/** A shell to be prepared, its private folder apart. */
export type ShellRequest = Omit<ShellStartOptions, 'files'> & {
  /** A folder for a shell, not made yet; another one each time. */
  readonly newFolder: () => string
  /** Of the machine, for what belongs to the session; null: it has none. */
  readonly ownFolder: string | null
}

/** The machine itself. */
export function realPlace(ptys: PtyHost, { newFolder, ownFolder, ...request }: ShellRequest): ShellPlace {
  return {
    ptys,
    folder: ownFolder,
    prepareShell: async () => createShellStart({ ...request, files: createShellFiles(newFolder()) }),
    isDirectory: async (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
    endShell: (pty) => endProcesses(pty, request.marker),
    shellEnded: async () => {},
    close: () => removeOwnFolder(ownFolder),
  }
}

/**
 * Removes what belonged to a session, whatever commands made of it. What cannot be removed stays, where its user alone gets to, until
 * the next start. Never rejects.
 */
export async function removeOwnFolder(folder: string | null): Promise<void> {
  if (folder !== null) await removeTree(folder).catch(() => {})
}
