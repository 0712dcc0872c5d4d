import { readFileSync, readdirSync } from 'node:fs'
import { assemble, allow } from './bpf.ts'
import { libc, must, StepError } from './libc.ts'
import { restrictByLandlock } from './landlock.ts'
import type { HostPlan } from './plan.ts'
import { architectures, seccompRules } from './seccomp-rules.ts'

const PR_CAPBSET_DROP = 24
const PR_SET_NO_NEW_PRIVS = 38
const PR_CAP_AMBIENT = 47
const PR_CAP_AMBIENT_CLEAR_ALL = 4
const SECCOMP_SET_MODE_FILTER = 1
const CAPABILITY_VERSION_3 = 0x2008_0522
const F_GETFD = 1
const F_SETFD = 2
const FD_CLOEXEC = 1

/**
 * Takes from the calling thread all rights that commands must not have, for ever. Every step is of this thread only: the
 * host's other threads keep theirs. The filter comes before the capabilities go, as without no_new_privs it needs them.
 */
export function dropPrivileges(plan: HostPlan): void {
  const keep = plan.without?.includes('capabilities') ? undefined : plan.capabilities
  if (!plan.without?.includes('descriptors')) closeInPrograms()
  if (keep !== undefined && (plan.privilege !== 'none' || process.getuid?.() === 0)) dropBoundingSet(keep)
  if (plan.noNewPrivileges && !plan.without?.includes('no-new-privileges'))
    must('no_new_privs', libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
  if (plan.landlock !== undefined) restrictByLandlock(plan.landlock)
  if (plan.capabilities !== undefined) installFilter(plan)
  if (plan.user !== undefined) becomeUser(plan.user)
  if (keep !== undefined) setCapabilities(keep, plan)
}

/** No descriptor above 2 survives into a program; those that programs get are put in place for each. */
export function closeInPrograms(): void {
  for (const name of readdirSync('/proc/thread-self/fd')) {
    const descriptor = Number(name)
    if (descriptor <= 2) continue
    const flags = libc().fcntl(descriptor, F_GETFD, 0)
    if (flags !== -1 && (flags & FD_CLOEXEC) === 0) libc().fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC)
  }
}

function dropBoundingSet(keep: readonly number[]): void {
  const last = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'))
  for (let capability = 0; capability <= last; capability += 1)
    if (!keep.includes(capability))
      must(`drop capability ${capability}`, libc().prctl(PR_CAPBSET_DROP, capability, 0, 0, 0))
  must('clear ambient capabilities', libc().prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
}

function becomeUser({ uid, gid, groups }: NonNullable<HostPlan['user']>): void {
  must('setgroups', libc().syscall('setgroups', groups.length, Buffer.from(new Uint32Array([...groups, 0]).buffer)))
  must('setresgid', libc().syscall('setresgid', gid, gid, gid))
  must('setresuid', libc().syscall('setresuid', uid, uid, uid))
}

function setCapabilities(keep: readonly number[], plan: HostPlan): void {
  // Commands of another user get none; one that they may gain by a setuid program is within the bounding set.
  const mask =
    plan.user !== undefined && plan.user.uid !== 0 ? 0n : keep.reduce((bits, bit) => bits | (1n << BigInt(bit)), 0n)
  const header = Buffer.from(new Uint32Array([CAPABILITY_VERSION_3, 0]).buffer)
  const low = Number(mask & 0xffff_ffffn)
  const high = Number(mask >> 32n)
  const data = Buffer.from(new Uint32Array([low, low, 0, high, high, 0]).buffer)
  must('capset', libc().syscall('capset', header, data))
}

function installFilter(plan: HostPlan): void {
  const architecture = architectures[process.arch]
  if (architecture === undefined) throw new StepError('seccomp', `no rules for ${process.arch}`)
  const rules = seccompRules(plan)
  const program = assemble(architecture, rules, plan.without?.includes('wrong-abi') ? allow : undefined)
  // struct sock_fprog: a count, then on a 64-bit machine at offset 8 the address of the program. In one piece of memory, as what
  // only an address refers to may be gone before the call is.
  const memory = Buffer.alloc(16 + program.length)
  memory.writeUInt16LE(program.length / 8)
  memory.writeBigUInt64LE(libc().address(memory) + 16n, 8)
  program.copy(memory, 16)
  must('seccomp', libc().syscall('seccomp', SECCOMP_SET_MODE_FILTER, 0, memory))
}
