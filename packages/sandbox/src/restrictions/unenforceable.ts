import { CmdopError } from '@cmdop/protocol'
import type { HostRefusal } from '../starter/refusal.ts'

/** Why a restriction cannot be held on this machine. */
export interface Unenforceable {
  /** As it is named in `Restrictions`, such as `dryRun` or `limits.processes`. */
  readonly restriction: string
  /** What the machine lacks, as a noun. */
  readonly missing: string
  /** Where it was found out: a step of starting the sandbox, or `plan`. */
  readonly step: string
  readonly errno?: string
  /** What a person can do. */
  readonly fix: string
}

/** The error of a restriction that cannot be held. Nothing ran. */
export function unenforceable(reason: Unenforceable, cause?: unknown): CmdopError {
  const { restriction, missing, step, errno, fix } = reason
  const where = errno === undefined ? '' : ` (${step}: ${errno})`
  const message = `${restriction} cannot be enforced on this machine: it has no ${missing}${where}. Nothing ran. ${fix}`
  return new CmdopError('restriction_unenforceable', message, { details: { ...reason, executed: false }, cause })
}

/** What a host's refusal means, and what helps. */
export function explain(restriction: string, { step, errno }: HostRefusal): Unenforceable {
  if (step === 'self-test')
    return {
      restriction,
      missing: 'proof that the sandbox holds',
      step,
      errno,
      fix: 'Report this: the sandbox refused to start because it could not prove itself.',
    }
  if (step === 'unshare' && errno === 'ENOENT')
    return { restriction, missing: 'unshare program', step, errno, fix: 'Install util-linux 2.38 or later.' }
  if (step === 'unshare' && errno === 'EINVAL')
    return {
      restriction,
      missing: 'namespaces, or an unshare program that knows --keep-caps',
      step,
      errno,
      fix: 'Install util-linux 2.38 or later; the kernel needs CONFIG_USER_NS, CONFIG_PID_NS and CONFIG_NET_NS.',
    }
  if (step === 'unshare') return { restriction, missing: 'user namespaces', step, errno, fix: userNamespaceFix() }
  if (step.startsWith('mount overlay'))
    return {
      restriction,
      missing: 'overlay file system',
      step,
      errno,
      fix: 'The kernel must have overlayfs (5.11 or later for an ordinary user), and the state folder must be on ext4, xfs, btrfs or tmpfs.',
    }
  if (step === 'seccomp')
    return {
      restriction,
      missing: 'filter of system calls',
      step,
      errno,
      fix: 'The kernel needs CONFIG_SECCOMP_FILTER.',
    }
  if (step.startsWith('landlock'))
    return {
      restriction,
      missing: 'Landlock',
      step,
      errno,
      fix: 'The kernel must be 5.13 or later with landlock in its list of LSMs.',
    }
  return { restriction, missing: 'sandbox', step, errno, fix: 'See `cmdop machine doctor`.' }
}

function userNamespaceFix(): string {
  if (process.getuid?.() === 0)
    return 'The daemon needs CAP_SYS_ADMIN: in a container, run it with --privileged or --cap-add SYS_ADMIN and a seccomp profile that allows mount.'
  return 'Run the daemon as root, or allow user namespaces: user.max_user_namespaces above 0, kernel.unprivileged_userns_clone=1, and on Ubuntu an AppArmor profile with `userns` for it.'
}
