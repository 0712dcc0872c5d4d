import type { Restrictions } from '@cmdop/protocol'
import { unenforceable } from '../restrictions/unenforceable.ts'

/**
 * The profile for `sandbox-exec -p` of macOS, in its Scheme dialect, that holds the restrictions. Children inherit it. Throws
 * `restriction_unenforceable` for what seatbelt cannot do: it has no view of files that could be applied later, and no rule for
 * setuid programs that was tried. Untested on a Mac: the text follows the profiles that the system ships in
 * `/System/Library/Sandbox/Profiles`.
 */
export function seatbeltProfile({
  dryRun,
  noDelete,
  noOverwrite,
  readOnly,
  writablePaths,
  network,
  noSudo,
  runAs,
}: Restrictions): string {
  const impossible = Object.entries({ dryRun, noDelete, noOverwrite, noSudo, runAs }).find(
    ([, value]) => value !== undefined && value !== false,
  )
  if (impossible !== undefined)
    throw unenforceable({
      restriction: impossible[0],
      missing: 'overlay file system or a tried way to refuse rights: it is macOS',
      step: 'plan',
      fix: 'Use readOnly, writablePaths or network: none, or run on Linux.',
    })
  const isClosed = readOnly === true || writablePaths !== undefined
  const isOffline = (network ?? (isClosed ? 'none' : 'host')) === 'none'
  const allowed = readOnly === true ? [] : (writablePaths ?? [])
  return [
    '(version 1)',
    '(allow default)',
    ...(isClosed
      ? [
          '(deny file-write*)',
          `(allow file-write* ${[...DEVICES, ...SCRATCH.map(subpath), ...allowed.map(subpath)].join(' ')})`,
        ]
      : []),
    ...(isOffline ? ['(deny network*)'] : []),
  ].join('\n')
}

/** The arguments that start a program under the profile. */
export function seatbeltCommand(restrictions: Restrictions, argv: readonly string[]): readonly string[] {
  return ['/usr/bin/sandbox-exec', '-p', seatbeltProfile(restrictions), '--', ...argv]
}

const DEVICES = [
  '(literal "/dev/null")',
  '(literal "/dev/tty")',
  '(regex #"^/dev/tty[a-z0-9]+$")',
  '(literal "/dev/ptmx")',
]

/** Temporary files; `/tmp` and `/var` are links. */
const SCRATCH = ['/private/tmp', '/private/var/tmp', '/private/var/folders']

function subpath(path: string): string {
  return `(subpath "${path.replaceAll(/["\\]/g, String.raw`\$&`)}")`
}
