import { z } from 'zod'

/** Bytes of one `file.read` at most. */
export const MAX_READ_BYTES = 8 * 1024 * 1024

const path = z
  .string()
  .startsWith('/')
  .max(4096)
  .refine((value) => !value.includes('\0'), 'must not contain a NUL')

/** Parameters of `file.read`. The content comes on lane 1, then the end with {@link FileReadEnd}. */
export const FileReadParams = z.strictObject({
  path,
  offset: z.number().int().min(0).default(0),
  length: z.number().int().min(0).max(MAX_READ_BYTES).default(65_536),
})
export type FileReadParams = z.infer<typeof FileReadParams>

export const FileReadEnd = z.object({
  /** Bytes of the whole file when it was opened. */
  size: z.number().int().min(0),
})
export type FileReadEnd = z.infer<typeof FileReadEnd>

/** Parameters of `file.list`. The answer is a {@link FileListing} as JSON on lane 1. */
export const FileListParams = z.strictObject({
  path,
  limit: z.number().int().min(1).max(1000).default(200),
  cursor: z.string().max(1024).optional(),
})
export type FileListParams = z.infer<typeof FileListParams>

/** One page of a directory, in byte order of the names. */
export const FileListing = z.object({
  entries: z.array(
    z.object({
      /** As UTF-8; a byte that is not is shown as U+FFFD. */
      name: z.string(),
      type: z.enum(['file', 'directory', 'symlink', 'other']),
      size: z.number(),
      mode: z.number().int(),
      modifiedAt: z.iso.datetime(),
    }),
  ),
  nextCursor: z.string().optional(),
})
export type FileListing = z.infer<typeof FileListing>
