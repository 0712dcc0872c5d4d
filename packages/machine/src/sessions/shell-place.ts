import { statSync } from 'node:fs'
import { endProcesses } from './end-processes.ts'
import type { Pty, PtyHost } from './pty/pty.ts'
import { createShellStart, type ShellStart, type ShellStartOptions } from './session-shell.ts'
import { createShellFiles } from './shell/shell-files.ts'

/** Where the shells of a session live. */
export interface ShellPlace {
  readonly ptys: PtyHost
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
}

/** The machine itself. */
export function realPlace(ptys: PtyHost, { newFolder, ...request }: ShellRequest): ShellPlace {
  return {
    ptys,
    prepareShell: async () => createShellStart({ ...request, files: createShellFiles(newFolder()) }),
    isDirectory: async (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
    endShell: (pty) => endProcesses(pty, request.marker),
    shellEnded: async () => {},
    close: async () => {},
  }
}
