import { existsSync, lstatSync } from 'node:fs'
import { libc, must } from './libc.ts'
import type { LandlockPlan } from './plan.ts'

const CREATE_RULESET_VERSION = 1
const RULE_PATH_BENEATH = 1
const O_PATH_CLOEXEC = 0o10000000 | 0o2000000

/** Rights of `<linux/landlock.h>` that write, by the version that knows them first. */
const WRITE_FILE = 1 << 1
const REMOVE_AND_MAKE = 0b1_1111_1111 << 4
const REFER = 1 << 13
const TRUNCATE = 1 << 14
const IOCTL_DEVICE = 1 << 15

/** Rights that mean something on a file; others are refused there. */
const ON_FILES = WRITE_FILE | TRUNCATE | IOCTL_DEVICE

/** Abstract Unix sockets and signals. */
const SCOPES = 3n

/** Version of Landlock that the kernel has; 0 = none. */
export function landlockVersion(): number {
  return Math.max(0, libc().syscall('landlock_create_ruleset', 0, 0, CREATE_RULESET_VERSION))
}

/**
 * Restricts the calling thread and what it starts: writing only below the plan's directories, and where the version has it
 * no abstract sockets and no signals outside. Needs no_new_privs or CAP_SYS_ADMIN.
 */
export function restrictByLandlock({ abi, writable, scoped }: LandlockPlan): void {
  const handled = writable === undefined ? 0 : writeRights(abi)
  const attributes = new BigUint64Array([BigInt(handled), 0n, scoped && abi >= 6 ? SCOPES : 0n])
  const bytes = Buffer.from(attributes.buffer).subarray(0, abi >= 6 ? 24 : abi >= 4 ? 16 : 8)
  const ruleset = must('landlock_create_ruleset', libc().syscall('landlock_create_ruleset', bytes, bytes.length, 0))
  for (const path of writable ?? []) if (existsSync(path)) allowBelow(ruleset, path, handled)
  must('landlock_restrict_self', libc().syscall('landlock_restrict_self', ruleset, 0))
  libc().close(ruleset)
}

function writeRights(abi: number): number {
  return (
    WRITE_FILE | REMOVE_AND_MAKE | (abi >= 2 ? REFER : 0) | (abi >= 3 ? TRUNCATE : 0) | (abi >= 5 ? IOCTL_DEVICE : 0)
  )
}

function allowBelow(ruleset: number, path: string, handled: number): void {
  const descriptor = must(`open ${path}`, libc().open(path, O_PATH_CLOEXEC, 0))
  const rights = lstatSync(path).isDirectory() ? handled : handled & ON_FILES
  const rule = Buffer.alloc(12)
  rule.writeBigUInt64LE(BigInt(rights))
  rule.writeInt32LE(descriptor, 8)
  must('landlock_add_rule', libc().syscall('landlock_add_rule', ruleset, RULE_PATH_BENEATH, rule, 0))
  libc().close(descriptor)
}
