import type { MethodName, Permit } from '@cmdop/protocol'
import { answer } from '../answer.ts'
import type { Handlers } from '../call-handler.ts'
import { copyPath } from './copy.ts'
import { readEntry } from './file-entry.ts'
import { listDirectory } from './list-directory.ts'
import { changePath, makeDirectory, makeSymlink } from './make-entries.ts'
import { movePath } from './move.ts'
import { serveRead } from './read-file.ts'
import { deletePath } from './remove.ts'
import { pathBytes } from './request-path.ts'
import { Searches } from './search/search.ts'
import { TemporaryFiles } from './temporary-files.ts'
import { serveTree } from './tree.ts'
import { Uploads } from './uploads.ts'
import { withFileError } from './with-file-error.ts'

export type FileMethod = Extract<MethodName, `file.${string}`>

/** Whose upload it is that may be gone on with. */
export type FileCaller = Pick<Permit, 'fleetId' | 'principalId' | 'callId'>

/** All methods of files. */
export type FileHandlers = Required<Pick<Handlers<FileCaller>, FileMethod>>

/** Files as this process sees them, and what is on its way to become one. */
export interface LocalFiles {
  readonly handlers: FileHandlers
  /** Removes what an earlier daemon left half-written, once it is old enough. */
  removeLeftovers(): Promise<void>
  /** Removes what is half-written of uploads that nobody sends. */
  discardKept(): Promise<void>
  /** What is half-written stays for a client that comes back. */
  close(): void
}

/** Serves the methods of files. `folder` is the daemon's own, for notes on what is half-written; without one there are none. */
export function createLocalFiles(folder: string | undefined): LocalFiles {
  const temporary = new TemporaryFiles(folder)
  const uploads = new Uploads(temporary)
  const searches = new Searches()
  const handlers: FileHandlers = {
    'file.read': serveRead,
    'file.write': (channel, params, caller) => uploads.serve(channel, params, caller),
    'file.tree': serveTree,
    'file.search': (channel, params) => searches.serve(channel, params),
    'file.list': (channel, params) => answer(channel, () => listDirectory(params)),
    'file.stat': (channel, { path, follow }) =>
      answer(channel, () => withFileError(pathBytes(path), () => readEntry(pathBytes(path), { follow }))),
    'file.mkdir': (channel, params) => answer(channel, () => makeDirectory(params)),
    'file.symlink': (channel, params) => answer(channel, () => makeSymlink(params, temporary)),
    'file.change': (channel, params) => answer(channel, () => changePath(params)),
    'file.copy': (channel, params) => answer(channel, (signal) => copyPath(params, { temporary, signal })),
    'file.move': (channel, params) => answer(channel, (signal) => movePath(params, { temporary, signal })),
    'file.delete': (channel, params) => answer(channel, (signal) => deletePath(params, signal)),
  }
  return {
    handlers,
    removeLeftovers: () => temporary.removeLeftovers(),
    discardKept: () => temporary.discardKept(),
    close: () => uploads.close(),
  }
}
