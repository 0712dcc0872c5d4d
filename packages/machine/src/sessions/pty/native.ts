import { createRequire } from 'node:module'
import { CmdopError } from '@cmdop/protocol'
import { loadLibc } from '../../exec/spawn/libc.ts'

/** The native part of node-pty, see its `src/unix/pty.cc`. */
export interface Native {
  fork(
    file: string,
    args: readonly string[],
    env: readonly string[],
    cwd: string,
    columns: number,
    rows: number,
    uid: number,
    gid: number,
    utf8: boolean,
    helper: string,
    onExit: (code: number, signal: number) => void,
  ): { readonly pid: number; readonly fd: number; readonly pty: string }
  resize(descriptor: number, columns: number, rows: number): void
}

/** Of `<fcntl.h>`. */
const F_SETFD = 2
const F_GETFL = 3
const F_SETFL = 4
const FD_CLOEXEC = 1
const O_NONBLOCK = 0o4000

/** node-pty leaves it open for every program that is started later, which could then read and type in this terminal. */
export function closeOnExec(descriptor: number): void {
  loadLibc()?.fcntl(descriptor, F_SETFD, 'int', FD_CLOEXEC)
}

/** From now on a read or write of it that would wait fails instead. */
export function doNotWait(descriptor: number): void {
  const libc = loadLibc()
  const flags = libc?.fcntl(descriptor, F_GETFL, 'int', 0) ?? 0
  libc?.fcntl(descriptor, F_SETFL, 'int', flags | O_NONBLOCK)
}

const require = createRequire(import.meta.url)
let native: Native | undefined

/** Throws `unsupported` where there is no binary for this machine. */
export function loadNative(): Native {
  try {
    const loader = require('@lydell/node-pty/requireBinary.js') as { requireBinary(name: string): Native }
    native ??= loader.requireBinary('pty.node')
    return native
  } catch (cause) {
    throw new CmdopError('unsupported', 'This machine has no pseudo-terminals: node-pty has no binary for it.', {
      cause,
    })
  }
}

/** On macOS the program is started by a small helper, https://github.com/microsoft/node-pty/pull/487. */
export function helperPath(): string {
  if (process.platform !== 'darwin') return ''
  const here = createRequire(require.resolve('@lydell/node-pty'))
  return here.resolve(`@lydell/node-pty-darwin-${process.arch}/spawn-helper`)
}
