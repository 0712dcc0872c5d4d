import type { Handlers } from '../call-handler.ts'
import type { FilePlaces } from '../restricted/file-places.ts'
import { FileProcesses } from './in-session/file-processes.ts'
import { serveInSessions } from './in-session/serve-in-sessions.ts'
import { createLocalFiles } from './local-files.ts'

/** The files of the machine, those in the views of its sessions, and what is on its way to become one. */
export interface FileService {
  readonly handlers: Handlers
  /** Removes what an earlier daemon left half-written, once it is old enough. */
  removeLeftovers(): Promise<void>
  /** Nothing works on the files of this view any more, and nothing half-written is left there: before its effect is computed. */
  leave(viewId: string): Promise<void>
  /** What is half-written on the disk stays for a client that comes back. */
  close(): Promise<void>
}

/**
 * Serves the methods of files. `folder` is the daemon's own, for notes on what is half-written. `places` are where calls work
 * that name a session; without any they are refused.
 */
export function createFileService(folder: string, places?: FilePlaces): FileService {
  const local = createLocalFiles(folder)
  const processes = new FileProcesses()
  return {
    handlers: serveInSessions(local.handlers, { places, processes }),
    removeLeftovers: () => local.removeLeftovers(),
    leave: (viewId) => processes.leave(viewId),
    close: async () => {
      local.close()
      await processes.close()
    },
  }
}
