import { libc } from './libc.ts'

const AF_UNIX = 1
const SOCK_SEQPACKET_CLOEXEC = 5 | 0o2000000
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const MSG_NOSIGNAL = 0x4000
const MSG_DONTWAIT = 0x40
const MSG_CMSG_CLOEXEC = 0x4000_0000

/** Descriptors in one message at most. */
const MOST = 4

/** `struct msghdr`, `struct iovec` and `struct cmsghdr` of a 64-bit Linux. */
const HEADER_BYTES = 56
const CONTROL_BYTES = 16 + 4 * MOST

/** A pair of sockets that carry open descriptors from one process to another, each message whole. */
export function descriptorPair(): readonly [ours: number, theirs: number] {
  const ends = new Int32Array(2)
  if (libc().socketpair(AF_UNIX, SOCK_SEQPACKET_CLOEXEC, 0, ends) !== 0)
    throw new Error('No socket pair could be made.')
  return [ends[0] ?? -1, ends[1] ?? -1]
}

/** Sends open descriptors under an id. They stay open here too. False when the other side is gone or does not read. */
export function sendDescriptors(socket: number, id: number, descriptors: readonly number[]): boolean {
  prepare(16 + 4 * descriptors.length)
  payload.writeUInt32LE(id)
  control.writeBigUInt64LE(BigInt(16 + 4 * descriptors.length))
  control.writeInt32LE(SOL_SOCKET, 8)
  control.writeInt32LE(SCM_RIGHTS, 12)
  for (const [at, descriptor] of descriptors.entries()) control.writeInt32LE(descriptor, 16 + 4 * at)
  return libc().sendmsg(socket, header, MSG_NOSIGNAL | MSG_DONTWAIT) !== -1
}

/** Takes the next message, which has arrived already. Undefined when there is none. */
export function receiveDescriptors(socket: number): { id: number; descriptors: readonly number[] } | undefined {
  prepare(CONTROL_BYTES)
  if (libc().recvmsg(socket, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0) return undefined
  const length = Number(header.readBigUInt64LE(40))
  const count = length < 16 ? 0 : (Number(control.readBigUInt64LE()) - 16) / 4
  const descriptors = Array.from({ length: count }, (_, at) => control.readInt32LE(16 + 4 * at))
  return { id: payload.readUInt32LE(), descriptors }
}

/**
 * One message at a time. The parts are kept, as the header has them by their addresses: what nothing refers to may be gone before the
 * call is.
 */
const header = Buffer.alloc(HEADER_BYTES)
const vector = Buffer.alloc(16)
const payload = Buffer.alloc(8)
const control = Buffer.alloc(CONTROL_BYTES + 8)

function prepare(controlBytes: number): void {
  for (const part of [header, payload, control]) part.fill(0)
  vector.writeBigUInt64LE(libc().address(payload))
  vector.writeBigUInt64LE(8n, 8)
  header.writeBigUInt64LE(libc().address(vector), 16)
  header.writeBigUInt64LE(1n, 24)
  header.writeBigUInt64LE(libc().address(control), 32)
  header.writeBigUInt64LE(BigInt(controlBytes), 40)
}
