import { closeSync } from 'node:fs'
import { libc } from './libc.ts'

const AF_INET = 2
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000
const SIOCSIFFLAGS = 0x8914
const IFF_UP = 1

/** Brings up `lo` in a network namespace of one's own. Without it a command has no network at all, which is no hole. */
export function bringUpLoopback(): void {
  const socket = libc().socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0)
  if (socket === -1) return
  const request = Buffer.alloc(40)
  request.write('lo')
  request.writeUInt16LE(IFF_UP, 16)
  libc().ioctl(socket, SIOCSIFFLAGS, request)
  closeSync(socket)
}
