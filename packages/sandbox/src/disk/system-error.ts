import { getSystemErrorName } from 'node:util'

/** An error of a system call as Node itself makes them, so that callers look at `code` in one way. */
export function systemError(syscall: string, errno: number, path: Buffer): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno)
  return Object.assign(new Error(`${code}: ${syscall} '${path.toString()}'`), {
    code,
    errno: -errno,
    syscall,
    path: path.toString(),
  })
}

/** The `code` of a system error: `ENOENT`, ...; undefined for any other error. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
