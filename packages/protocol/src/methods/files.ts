import { z } from 'zod'
import { EffectSummary } from './effects.ts'
import { FilePath, LinkTarget } from './paths.ts'
import { MAX_ANSWER_BYTES } from './limits.ts'
import { SessionId } from './session-info.ts'
import { Sha256 } from './sha256.ts'

/** Bytes of one read that is answered whole; a streamed read has no bound. */
export const MAX_READ_BYTES = MAX_ANSWER_BYTES

/** Permission bits as in `chmod`. */
const Mode = z.number().int().min(0).max(0o7777)

/**
 * The files as a session of one's own sees them: under its restrictions, in its view where it has one, with its steps so far.
 * Default: the real disk.
 */
const inView = { session: SessionId.optional() }

/** Milliseconds a half-written file is kept for its client after a lost connection. */
export const UPLOAD_KEPT_MS = 600_000

/**
 * Parameters of `file.read`. The machine says {@link FileReadStarted}; the content from `offset` comes on lane 1 as it is
 * read, then the end with {@link FileReadEnd}. A file that is replaced meanwhile is read on as it was; one that is cut
 * short ends early; one that grows is read to where it ended when it was opened.
 */
export const FileReadParams = z.strictObject({
  ...inView,
  path: FilePath,
  offset: z.number().int().min(0).default(0),
  /** Bytes at most. Default: to the end. */
  length: z.number().int().min(0).optional(),
  /**
   * Where the hash of the answer begins, at most `offset`: who has the beginning already has the whole checked. What lies
   * before `offset` is read, and not sent. Default: `offset`.
   */
  hashFrom: z.number().int().min(0).optional(),
  /** Refuses with `conflict` a file that is another one than before: the `version` of an earlier answer. */
  ifVersion: z.string().max(128).optional(),
})
export type FileReadParams = z.infer<typeof FileReadParams>

/** Control from the machine, before the content. */
export const FileReadStarted = z.object({
  type: z.literal('started'),
  /** Bytes of the whole file; 0 also where the system does not say (as in `/proc`). */
  size: z.number().int().min(0),
  /** Changes with the content: inode, size and time of the last change. Given as `ifVersion`, a read goes on in the same content. */
  version: z.string(),
})
export type FileReadStarted = z.infer<typeof FileReadStarted>

export const FileReadEnd = z.object({
  /** Bytes of the whole file when it was opened; where it says 0 and is not (as in `/proc`), what was read. */
  size: z.number().int().min(0),
  /** As it was at the end: another one than in {@link FileReadStarted} when the file was written to meanwhile. */
  version: z.string(),
  /** SHA-256 of the bytes from `hashFrom` to the last one sent. */
  sha256: Sha256,
})
export type FileReadEnd = z.infer<typeof FileReadEnd>

/**
 * Parameters of `file.write`: a new content, put in place at once (a temporary file in the same directory, renamed).
 * The machine says {@link FileWriteReady}; the client sends content from that offset on lane 1, then
 * {@link FileWriteCommit}, then ends; the machine ends with {@link FileWritten}. After a lost connection the same call id
 * goes on where it was, for {@link UPLOAD_KEPT_MS}. A symbolic link at the path is written through, unless it must not be
 * overwritten or followed.
 */
export const FileWriteParams = z.strictObject({
  ...inView,
  path: FilePath,
  /** Default: that of the file that is replaced, else 0o644 less the umask. */
  mode: Mode.optional(),
  createParents: z.boolean().default(false),
  /** False: an existing file is `conflict`. */
  overwrite: z.boolean().default(true),
  /** False: a symbolic link at the path is replaced, not written through. */
  follow: z.boolean().default(true),
  /** Only if the file that is there has this SHA-256; `null`: only if there is none. Otherwise `conflict`. */
  ifMatch: Sha256.nullable().optional(),
  /** Bytes that will come; checked at the end, and space is asked for at the beginning. */
  size: z.number().int().min(0).optional(),
  /** What the content must be; otherwise nothing is put in place. */
  sha256: Sha256.optional(),
  modifiedAt: z.iso.datetime().optional(),
  /** What arrived is kept for the same call id also when the client gives up, not only when its connection is lost. */
  keepPartial: z.boolean().default(false),
})
export type FileWriteParams = z.infer<typeof FileWriteParams>

/** Control from the machine: content is expected from this offset on. */
export const FileWriteReady = z.object({ type: z.literal('ready'), offset: z.number().int().min(0) })
export type FileWriteReady = z.infer<typeof FileWriteReady>

/** Control from the client: the content is complete. A channel that ends without it puts nothing in place. */
export const FileWriteCommit = z.object({
  type: z.literal('commit'),
  size: z.number().int().min(0),
  sha256: Sha256.optional(),
})
export type FileWriteCommit = z.infer<typeof FileWriteCommit>

/** Trailer of `file.write`. */
export const FileWritten = z.object({
  size: z.number().int().min(0),
  sha256: Sha256,
  version: z.string(),
  /** Whether a file was there before. */
  replaced: z.boolean(),
  /** What it changed as a transaction of its own, in a session where each call is one. */
  effect: EffectSummary.optional(),
})
export type FileWritten = z.infer<typeof FileWritten>

/** One name in a directory, or the answer of `file.stat`; a symbolic link is described itself. */
export const FileEntry = z.object({
  /** As UTF-8; a byte that is not is shown as U+FFFD. */
  name: z.string(),
  /** The bytes of a name that is not UTF-8. */
  nameBase64: z.string().optional(),
  type: z.enum(['file', 'directory', 'symlink', 'other']),
  size: z.number(),
  mode: z.number().int(),
  uid: z.number().int(),
  gid: z.number().int(),
  modifiedAt: z.iso.datetime(),
  /** Bytes on disk: less than `size` for a sparse file. */
  allocatedBytes: z.number(),
  /** Where a symbolic link points, as UTF-8. */
  target: z.string().optional(),
  targetBase64: z.string().optional(),
  version: z.string(),
})
export type FileEntry = z.infer<typeof FileEntry>

/** Parameters of `file.list`. The answer is a {@link FileListing} as JSON on lane 1. */
export const FileListParams = z.strictObject({
  ...inView,
  path: FilePath,
  limit: z.number().int().min(1).max(1000).default(200),
  cursor: z.string().max(1024).optional(),
})
export type FileListParams = z.infer<typeof FileListParams>

/** One page of a directory, in byte order of the names. */
export const FileListing = z.object({
  entries: z.array(FileEntry),
  nextCursor: z.string().optional(),
})
export type FileListing = z.infer<typeof FileListing>

/** Parameters of `file.stat`. The answer is a {@link FileEntry}. */
export const FileStatParams = z.strictObject({
  ...inView,
  path: FilePath,
  /** Follow a symbolic link. */
  follow: z.boolean().default(false),
})
export type FileStatParams = z.infer<typeof FileStatParams>

/** Parameters of `file.mkdir`. The answer is the {@link FileEntry}. With `parents` an existing directory is no error, and stays as it is. */
export const FileMkdirParams = z.strictObject({
  ...inView,
  path: FilePath,
  parents: z.boolean().default(false),
  mode: Mode.optional(),
})
export type FileMkdirParams = z.infer<typeof FileMkdirParams>

/** Parameters of `file.symlink`: makes a symbolic link. The answer is its {@link FileEntry}. */
export const FileSymlinkParams = z.strictObject({
  ...inView,
  path: FilePath,
  /** Where it points, as it is: absolute, or from the folder of the link. */
  target: LinkTarget,
  overwrite: z.boolean().default(false),
})
export type FileSymlinkParams = z.infer<typeof FileSymlinkParams>

/** Parameters of `file.change`: permission bits and time of a file or directory. The answer is the {@link FileEntry}. */
export const FileChangeParams = z.strictObject({
  ...inView,
  path: FilePath,
  mode: Mode.optional(),
  modifiedAt: z.iso.datetime().optional(),
})
export type FileChangeParams = z.infer<typeof FileChangeParams>

/** Parameters of `file.copy` and `file.move` on one machine. The answer is the {@link FileEntry} at the destination. */
export const FileTransferParams = z.strictObject({
  ...inView,
  from: FilePath,
  to: FilePath,
  overwrite: z.boolean().default(false),
  /** Directories with all that is in them; without it a directory is `validation`. */
  recursive: z.boolean().default(false),
})
export type FileTransferParams = z.infer<typeof FileTransferParams>

/** Parameters of `file.delete`. The answer is {@link FileDeleted}. */
export const FileDeleteParams = z.strictObject({
  ...inView,
  path: FilePath,
  /** A directory with all that is in it; symbolic links are removed, never followed. */
  recursive: z.boolean().default(false),
  /** A path that is not there is no error. */
  missingOk: z.boolean().default(false),
})
export type FileDeleteParams = z.infer<typeof FileDeleteParams>

export const FileDeleted = z.object({ removed: z.number().int().min(0) })
export type FileDeleted = z.infer<typeof FileDeleted>

/**
 * Parameters of `file.tree`: the path itself and everything below it, parents before what is in them. The answer is a
 * {@link TreeEntry} per line (JSON), then the end with {@link TreeEnd}. Symbolic links below it are listed, never followed.
 */
export const FileTreeParams = z.strictObject({ ...inView, path: FilePath })
export type FileTreeParams = z.infer<typeof FileTreeParams>

export const TreeEntry = FileEntry.extend({
  /** Path below the root, `/` between names, as UTF-8; the name of the root itself is empty. */
  path: z.string(),
  pathBase64: z.string().optional(),
})
export type TreeEntry = z.infer<typeof TreeEntry>

export const TreeEnd = z.object({
  entries: z.number().int(),
  /** What could not be read: the first 20, their paths cut to 100 characters. */
  unreadable: z.array(z.object({ path: z.string(), errno: z.string() })),
})
export type TreeEnd = z.infer<typeof TreeEnd>

/** Parameters of `file.search`. The answer is a {@link SearchMatch} per line (JSON), then the end with {@link SearchEnd}. */
export const FileSearchParams = z.strictObject({
  ...inView,
  path: FilePath,
  /** Glob over the name: `*`, `?`, `[...]`; `**` and `/` over the path below the root. */
  name: z.string().min(1).max(1024).optional(),
  /** Text, or with `regex` a regular expression, in the lines of regular files. */
  content: z.string().min(1).max(4096).optional(),
  regex: z.boolean().default(false),
  ignoreCase: z.boolean().default(false),
  maxMatches: z.number().int().min(1).max(10_000).default(200),
  maxDepth: z.number().int().min(0).max(256).default(64),
  /** Files larger than this are not read for their content. */
  maxFileBytes: z
    .number()
    .int()
    .min(0)
    .default(64 * 1024 * 1024),
})
export type FileSearchParams = z.infer<typeof FileSearchParams>

export const SearchMatch = z.object({
  path: z.string(),
  pathBase64: z.string().optional(),
  type: FileEntry.shape.type,
  /** Of a match in the content: number of the line from 1, and the line, cut to 500 characters. */
  line: z.number().int().optional(),
  text: z.string().optional(),
})
export type SearchMatch = z.infer<typeof SearchMatch>

export const SearchEnd = z.object({
  matches: z.number().int(),
  /** There are more than `maxMatches`. */
  truncated: z.boolean(),
  searchedFiles: z.number().int(),
  /** Not read: no right, too large, or binary. */
  skippedFiles: z.number().int(),
})
export type SearchEnd = z.infer<typeof SearchEnd>
