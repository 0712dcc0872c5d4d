import { expect, test } from 'vitest'
import { allow, assemble, failWith, killProcess } from './bpf.ts'
import { architectures, seccompRules } from './seccomp-rules.ts'

/** What the kernel's machine does with a program and a system call. */
function run(program: Buffer, { arch, call, args = [] }: { arch: number; call: number; args?: number[] }): number {
  const data = Buffer.alloc(64)
  data.writeUInt32LE(call >>> 0, 0)
  data.writeUInt32LE(arch >>> 0, 4)
  for (const [at, value] of args.entries()) data.writeBigUInt64LE(BigInt(value), 16 + 8 * at)
  let register = 0
  for (let at = 0; at < program.length / 8; at += 1) {
    const code = program.readUInt16LE(at * 8)
    const [ifTrue, ifFalse, value] = [
      program.readUInt8(at * 8 + 2),
      program.readUInt8(at * 8 + 3),
      program.readUInt32LE(at * 8 + 4),
    ] as const
    if (code === 0x20) register = data.readUInt32LE(value)
    else if (code === 0x06) return value
    else {
      const holds = code === 0x15 ? register === value : code === 0x35 ? register >= value : (register & value) !== 0
      at += holds ? ifTrue : ifFalse
    }
  }
  throw new Error('The program ran over its end.')
}

const x64 = architectures['x64'] ?? 0
const always = assemble(x64, seccompRules({ deny: [] }, 'x64'))

test('calls of another architecture end the process, and those of x32 do not exist', () => {
  expect(run(always, { arch: 0x4000_0003, call: 10 })).toBe(killProcess)
  expect(run(always, { arch: x64, call: 0x4000_0057 })).toBe(failWith('ENOSYS'))
})

test.each([
  ['io_uring_setup', 425, [], failWith('ENOSYS')],
  ['clone3', 435, [], failWith('ENOSYS')],
  ['keyctl', 250, [], failWith('EPERM')],
  ['mount', 165, [], failWith('EPERM')],
  ['mount_setattr', 442, [], failWith('EPERM')],
  ['setns', 308, [], failWith('EPERM')],
  ['open_by_handle_at', 304, [], failWith('EPERM')],
  ['clone with a user namespace', 56, [0x1000_0011], failWith('EPERM')],
  ['clone of a process', 56, [0x0120_0011], allow],
  ['unshare of a user namespace', 272, [0x1002_0000], failWith('EPERM')],
  ['unshare of files', 272, [0x400], allow],
  ['ioctl TIOCSTI', 16, [0, 0x5412], failWith('EPERM')],
  ['ioctl TCGETS', 16, [0, 0x5401], allow],
  ['unlink', 87, [], allow],
  ['chmod', 90, [], allow],
  ['socket', 41, [1], allow],
] as const)('%s is answered as planned', (_, call, args, answer) => {
  expect(run(always, { arch: x64, call, args: [...args] })).toBe(answer)
})

test('what a plan denies beside is denied, and nothing after it is missed', () => {
  const program = assemble(x64, seccompRules({ deny: ['unix-sockets', 'metadata', 'truncate'] }, 'x64'))
  expect(run(program, { arch: x64, call: 41, args: [1] })).toBe(failWith('EPERM'))
  expect(run(program, { arch: x64, call: 41, args: [2] })).toBe(allow)
  expect(run(program, { arch: x64, call: 41, args: [40] })).toBe(failWith('EPERM'))
  expect(run(program, { arch: x64, call: 90 })).toBe(failWith('EPERM'))
  expect(run(program, { arch: x64, call: 452 })).toBe(failWith('EPERM'))
  expect(run(program, { arch: x64, call: 2, args: [0, 0o1001] })).toBe(failWith('EPERM'))
  expect(run(program, { arch: x64, call: 2, args: [0, 0o1] })).toBe(allow)
  expect(run(program, { arch: x64, call: 437 })).toBe(failWith('ENOSYS'))
})

test('on arm64 the numbers are its own', () => {
  const arm64 = architectures['arm64'] ?? 0
  const program = assemble(arm64, seccompRules({ deny: ['metadata'] }, 'arm64'))
  expect(run(program, { arch: arm64, call: 40 })).toBe(failWith('EPERM'))
  expect(run(program, { arch: arm64, call: 220, args: [0x1000_0000] })).toBe(failWith('EPERM'))
  expect(run(program, { arch: arm64, call: 53 })).toBe(failWith('EPERM'))
  expect(run(program, { arch: x64, call: 40 })).toBe(killProcess)
})
