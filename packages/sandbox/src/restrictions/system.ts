import { existsSync } from 'node:fs'
import type { Restrictions } from '@cmdop/protocol'
import { mainRestriction } from './plan-restrictions.ts'
import { unenforceable } from './unenforceable.ts'

/** What is known of a system before anything of it is asked. */
export interface System {
  readonly platform: NodeJS.Platform
  readonly arch: string
  /** Whether /proc of Linux is mounted. */
  readonly hasProcesses: boolean
}

/** The one that this runs on. */
export function thisSystem(): System {
  return { platform: process.platform, arch: process.arch, hasProcesses: existsSync('/proc/self/ns/net') }
}

/** Throws `restriction_unenforceable` on a system that cannot hold any restriction, with what it lacks. */
export function refuseSystem(restrictions: Restrictions, { platform, arch, hasProcesses }: System): void {
  const restriction = mainRestriction(restrictions)
  const refused = (missing: string, errno: string, fix: string) =>
    unenforceable({ restriction, missing, step: 'plan', errno, fix })
  if (platform === 'darwin')
    throw refused('overlay, and its seatbelt profile is untested', platform, 'Run the command on a Linux machine.')
  if (platform !== 'linux')
    throw refused('kernel that holds restrictions', platform, 'Run the command on a Linux machine.')
  if (arch !== 'x64' && arch !== 'arm64')
    throw refused('rules for its processor', arch, 'Run the command on a machine with an x64 or arm64 processor.')
  if (!hasProcesses)
    throw refused(
      '/proc of Linux 3.8 or later',
      'ENOENT',
      'Mount it: mount -t proc proc /proc. The kernel must be 5.11 or later.',
    )
}
