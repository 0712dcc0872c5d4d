import { z } from 'zod'
import { Sha256 } from './files.ts'

/** A path as text, and its bytes where they are not UTF-8. */
const EffectPath = z.object({ path: z.string(), pathBase64: z.string().optional() })

/** What a file was or is. */
export const FileState = z.object({
  type: z.enum(['file', 'directory', 'symlink', 'fifo', 'socket', 'device']),
  size: z.number().int(),
  mode: z.number().int(),
  uid: z.number().int(),
  gid: z.number().int(),
  /** Last change of the content, milliseconds since 1970. */
  mtimeMs: z.number().int().optional(),
  /** Names of extended attributes, access lists and capabilities among them. */
  xattrs: z.array(z.string()).optional(),
  /** Of a symbolic link. */
  target: z.string().optional(),
})
export type FileState = z.infer<typeof FileState>

/** One change. `before` is absent of what was added, `after` of what was deleted. */
export const Effect = EffectPath.extend({
  kind: z.enum(['added', 'deleted', 'modified', 'replaced', 'metadata', 'moved']),
  before: FileState.optional(),
  after: FileState.optional(),
  /** Of `moved`: where it was. */
  from: z.string().optional(),
  fromBase64: z.string().optional(),
  /** Entries that this one stands for: a directory with all that was in it. */
  collapsed: z.number().int().optional(),
  /** A file that had content has none. */
  emptied: z.boolean().optional(),
  /** It changes what runs later, by this rule: `cron`, `ssh`, `shell-startup`, ... */
  deferred: z.string().optional(),
  /** Unified diff of text, up to a limit. */
  diff: z.string().optional(),
})
export type Effect = z.infer<typeof Effect>

/** What a transaction changed in its view of the machine. */
export const EffectList = z.object({
  effectId: z.string(),
  /** SHA-256 over everything that would be applied, contents included; what is approved and applied. */
  hash: Sha256,
  effects: z.array(Effect),
  /** Changes by kind, also those that are not listed one by one. */
  counts: z.record(z.string(), z.number().int()),
  /** The list was cut; the hash is over all. */
  truncated: z.boolean(),
  /** What could not be previewed: mounts that stayed read-only, devices. */
  unpreviewable: z.array(z.object({ path: z.string(), why: z.string() })),
  /** Why a preview is not exact: attempts on the network, processes in the background that were ended. */
  sideEffects: z.object({
    network: z.enum(['none', 'host']),
    networkAttempts: z.number().int(),
    backgroundKilled: z.number().int(),
  }),
  /** What `noDelete` or `noOverwrite` forbids, by path. */
  violations: z.array(EffectPath.extend({ rule: z.string() })),
})
export type EffectList = z.infer<typeof EffectList>
