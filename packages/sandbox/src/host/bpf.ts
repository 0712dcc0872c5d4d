import { constants } from 'node:os'

/** What a filter answers, see seccomp(2). */
export const allow = 0x7fff_0000
export const killProcess = 0x8000_0000

/** The call fails with this error. */
export function failWith(errno: keyof typeof constants.errno): number {
  return 0x0005_0000 | constants.errno[errno]
}

/** Refuses a system call, or only where one of its arguments says so. */
export interface Rule {
  readonly call: number
  readonly action: number
  /** Of the lower 32 bits of the argument at this place: any of these bits set, or exactly this value. */
  readonly when?: { readonly argument: number; readonly hasBits?: number; readonly equals?: number }
}

/** Places in `struct seccomp_data`. */
const NUMBER = 0
const ARCHITECTURE = 4
const ARGUMENTS = 16

/** Of `<linux/bpf_common.h>`. */
const LOAD = 0x20
const IF_EQUAL = 0x15
const IF_AT_LEAST = 0x35
const IF_BITS = 0x45
const RETURN = 0x06

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number]

/**
 * A classic BPF program for seccomp(2): another architecture's calls end the process, x32 calls do not exist, the rules
 * are looked at in order, everything else is allowed. Each instruction is `struct sock_filter`, little-endian.
 */
export function assemble(architecture: number, rules: readonly Rule[], wrongArchitecture = killProcess): Buffer {
  const program: Instruction[] = [
    [LOAD, 0, 0, ARCHITECTURE],
    [IF_EQUAL, 1, 0, architecture],
    [RETURN, 0, 0, wrongArchitecture],
    [LOAD, 0, 0, NUMBER],
    [IF_AT_LEAST, 0, 1, 0x4000_0000],
    [RETURN, 0, 0, failWith('ENOSYS')],
    ...rules.flatMap(instructions),
    [RETURN, 0, 0, allow],
  ]
  const bytes = Buffer.alloc(program.length * 8)
  for (const [at, [code, ifTrue, ifFalse, value]] of program.entries()) {
    bytes.writeUInt16LE(code, at * 8)
    bytes.writeUInt8(ifTrue, at * 8 + 2)
    bytes.writeUInt8(ifFalse, at * 8 + 3)
    bytes.writeUInt32LE(value >>> 0, at * 8 + 4)
  }
  return bytes
}

function instructions({ call, action, when }: Rule): Instruction[] {
  if (when === undefined)
    return [
      [IF_EQUAL, 0, 1, call],
      [RETURN, 0, 0, action],
    ]
  const test: Instruction =
    when.hasBits === undefined ? [IF_EQUAL, 0, 1, when.equals ?? 0] : [IF_BITS, 0, 1, when.hasBits]
  return [
    [IF_EQUAL, 0, 4, call],
    [LOAD, 0, 0, ARGUMENTS + 8 * when.argument],
    test,
    [RETURN, 0, 0, action],
    [LOAD, 0, 0, NUMBER],
  ]
}
