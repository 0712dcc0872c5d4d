import { z } from 'zod'

/** A text without NUL, which no system call takes. */
export const systemText = z
  .string()
  .max(131_072)
  .refine((value) => !value.includes('\0'), 'must not contain a NUL')

/** An absolute path as text. */
export const AbsolutePath = z
  .string()
  .startsWith('/')
  .max(4096)
  .refine((value) => !value.includes('\0'), 'must not contain a NUL')

/**
 * A path on a machine: text (UTF-8), or the bytes themselves in base64 where they are not UTF-8, as names on Linux need
 * not be.
 */
export const FilePath = z.union([
  AbsolutePath,
  z.strictObject({
    base64: z
      .base64()
      .max(8192)
      // The first byte is a slash: its six upper bits are the letter L, and the next two decide the second letter.
      .refine((value) => /^L[w-z0-9+/]/.test(value), 'must be an absolute path'),
  }),
])
export type FilePath = z.infer<typeof FilePath>

/** Where a symbolic link points: text (UTF-8), or the bytes themselves in base64. */
export const LinkTarget = z.union([
  systemText.min(1).max(4096),
  z.strictObject({ base64: z.base64().min(1).max(8192) }),
])

/** Variables set on top of the daemon's environment; null removes one. */
export const EnvironmentChange = z.record(z.string().regex(/^[^=\0]+$/), systemText.nullable())
