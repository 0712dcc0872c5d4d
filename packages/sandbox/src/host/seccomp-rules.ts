import { type Rule, failWith } from './bpf.ts'
import type { HostPlan } from './plan.ts'

/** `AUDIT_ARCH_*` of `<linux/audit.h>`. */
export const architectures: Readonly<Record<string, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 }

/** Numbers of the calls that are refused; a call that an architecture does not have is not in its list. */
const calls = {
  x64: {
    clone: 56,
    unshare: 272,
    setns: 308,
    mount: 165,
    umount2: 166,
    pivot_root: 155,
    keyctl: 250,
    add_key: 248,
    request_key: 249,
    open_by_handle_at: 304,
    ioctl: 16,
    socket: 41,
    socketpair: 53,
    chmod: 90,
    fchmod: 91,
    fchmodat: 268,
    chown: 92,
    fchown: 93,
    lchown: 94,
    fchownat: 260,
    utime: 132,
    utimes: 235,
    futimesat: 261,
    utimensat: 280,
    setxattr: 188,
    lsetxattr: 189,
    fsetxattr: 190,
    removexattr: 197,
    lremovexattr: 198,
    fremovexattr: 199,
    truncate: 76,
    ftruncate: 77,
    open: 2,
    creat: 85,
    openat: 257,
    perf_event_open: 298,
    bpf: 321,
    userfaultfd: 323,
    process_vm_writev: 311,
    kexec_load: 246,
    init_module: 175,
    finit_module: 313,
    delete_module: 176,
    swapon: 167,
    acct: 163,
    quotactl: 179,
  },
  arm64: {
    clone: 220,
    unshare: 97,
    setns: 268,
    mount: 40,
    umount2: 39,
    pivot_root: 41,
    keyctl: 219,
    add_key: 217,
    request_key: 218,
    open_by_handle_at: 265,
    ioctl: 29,
    socket: 198,
    socketpair: 199,
    fchmod: 52,
    fchmodat: 53,
    fchown: 55,
    fchownat: 54,
    utimensat: 88,
    setxattr: 5,
    lsetxattr: 6,
    fsetxattr: 7,
    removexattr: 14,
    lremovexattr: 15,
    fremovexattr: 16,
    truncate: 45,
    ftruncate: 46,
    openat: 56,
    perf_event_open: 241,
    bpf: 280,
    userfaultfd: 282,
    process_vm_writev: 271,
    kexec_load: 104,
    init_module: 105,
    finit_module: 273,
    delete_module: 106,
    swapon: 224,
    acct: 89,
    quotactl: 60,
  },
} as const

/** Calls of later kernels have one number everywhere. */
const later = {
  io_uring_setup: 425,
  io_uring_enter: 426,
  io_uring_register: 427,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  fspick: 433,
  clone3: 435,
  mount_setattr: 442,
  open_tree_attr: 467,
  fchmodat2: 452,
  setxattrat: 463,
  removexattrat: 466,
  file_setattr: 469,
  openat2: 437,
} as const

type Call = keyof (typeof calls)['x64'] | keyof typeof later

const CLONE_NEWUSER = 0x1000_0000
const AF_UNIX = 1
/** To the machine that this one is a guest of; it is no network, and no network namespace holds it. */
const AF_VSOCK = 40
const O_TRUNC = 0o1000

const mountCalls: readonly Call[] = [
  'mount',
  'umount2',
  'pivot_root',
  'open_tree',
  'move_mount',
  'fsopen',
  'fsconfig',
  'fsmount',
  'fspick',
  'mount_setattr',
  'open_tree_attr',
  'setns',
]
const kernelCalls: readonly Call[] = [
  'keyctl',
  'add_key',
  'request_key',
  'open_by_handle_at',
  'perf_event_open',
  'bpf',
  'userfaultfd',
  'kexec_load',
  'init_module',
  'finit_module',
  'delete_module',
  'swapon',
  'acct',
  'quotactl',
]
const metadataCalls: readonly Call[] = [
  'chmod',
  'fchmod',
  'fchmodat',
  'fchmodat2',
  'chown',
  'fchown',
  'lchown',
  'fchownat',
  'utime',
  'utimes',
  'futimesat',
  'utimensat',
  'setxattr',
  'lsetxattr',
  'fsetxattr',
  'removexattr',
  'lremovexattr',
  'fremovexattr',
  'setxattrat',
  'removexattrat',
  'file_setattr',
]

/** `TIOCSTI` and `TIOCLINUX` type into a terminal; `FS_IOC_SETFLAGS` and `FS_IOC_FSSETXATTR` change attributes of a file. */
const TERMINAL_INPUT = [0x5412, 0x541c]
const FILE_ATTRIBUTES = [0x4008_6602, 0x4004_6602, 0x401c_5820]

/** The rules of one plan, for `process.arch`. */
export function seccompRules(plan: Pick<HostPlan, 'deny' | 'without'>, architecture = process.arch): readonly Rule[] {
  const own: Partial<Record<Call, number>> = { ...(architecture === 'arm64' ? calls.arm64 : calls.x64), ...later }
  const rule = (call: Call, action: number, when?: Rule['when']): Rule[] => {
    const number = own[call]
    return number === undefined ? [] : [{ call: number, action, ...(when && { when }) }]
  }
  const refused = failWith('EPERM')
  const absent = failWith('ENOSYS')
  const without = new Set(plan.without)
  const has = new Set(plan.deny)
  return [
    // Its operations are not system calls, so that no filter sees them.
    ...(without.has('io-uring')
      ? []
      : ['io_uring_setup', 'io_uring_enter', 'io_uring_register'].flatMap((name) => rule(name as Call, absent))),
    // Its flags are in memory, which a filter cannot read; every C library falls back to clone.
    ...(without.has('mount-calls')
      ? []
      : [
          ...rule('clone3', absent),
          ...rule('clone', refused, { argument: 0, hasBits: CLONE_NEWUSER }),
          ...rule('unshare', refused, { argument: 0, hasBits: CLONE_NEWUSER }),
          ...mountCalls.flatMap((name) => rule(name, refused)),
        ]),
    ...kernelCalls.flatMap((name) => rule(name, refused)),
    ...TERMINAL_INPUT.flatMap((request) => rule('ioctl', refused, { argument: 1, equals: request })),
    ...rule('socket', refused, { argument: 0, equals: AF_VSOCK }),
    ...(has.has('all-sockets') ? rule('socket', refused) : []),
    ...(has.has('unix-sockets') && !without.has('unix-sockets')
      ? rule('socket', refused, { argument: 0, equals: AF_UNIX })
      : []),
    ...(has.has('metadata') ? metadataCalls.flatMap((name) => rule(name, refused)) : []),
    ...(has.has('metadata')
      ? FILE_ATTRIBUTES.flatMap((request) => rule('ioctl', refused, { argument: 1, equals: request }))
      : []),
    ...(has.has('truncate') ? truncateRules(rule, refused) : []),
  ]
}

/** For a Landlock before version 3, which does not know truncation. */
function truncateRules(rule: (call: Call, action: number, when?: Rule['when']) => Rule[], action: number): Rule[] {
  return [
    ...rule('truncate', action),
    ...rule('ftruncate', action),
    ...rule('creat', action),
    ...rule('open', action, { argument: 1, hasBits: O_TRUNC }),
    ...rule('openat', action, { argument: 2, hasBits: O_TRUNC }),
    ...rule('openat2', failWith('ENOSYS')),
  ]
}
