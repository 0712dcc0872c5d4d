import { endProcesses } from '../sessions/end-processes.ts'
import { createShellStart } from '../sessions/session-shell.ts'
import { removeOwnFolder, type ShellPlace, type ShellRequest } from '../sessions/shell-place.ts'
import { sandboxPtyHost } from './sandbox-pty.ts'
import type { SessionPlace } from './session-place.ts'
import { createViewShellFiles, isDirectoryIn } from './view-shell-files.ts'

/** The view of a restricted session, for its shells. */
export function restrictedShellPlace(
  place: SessionPlace,
  { newFolder, ownFolder, ...request }: ShellRequest,
): ShellPlace {
  return {
    get folder() {
      return place.folder
    },
    ptys: { spawn: async (pty) => sandboxPtyHost(await place.enter()).spawn(pty) },
    prepareShell: async () => {
      const files = await createViewShellFiles(await place.enter(), newFolder())
      return createShellStart({ ...request, files })
    },
    isDirectory: async (path) => isDirectoryIn(await place.enter(), path),
    // A view that is decided on must not change any more, not even by a shell that writes its history.
    endShell: async (pty) => {
      if (place.isDeciding) await pty.exit
      else await endProcesses(pty, request.marker)
    },
    shellEnded: async () => {
      if (place.isPerCommand) await place.leave()
    },
    close: async () => {
      await place.close()
      await removeOwnFolder(ownFolder)
    },
  }
}
