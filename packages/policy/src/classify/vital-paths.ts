import { type SimpleCommand, type Word, valueOf } from '../parse/simple-command.ts'
import { normalPath } from '../rules/paths.ts'

/** Directories of the system and of people; below some of them the next level is as vital. */
const VITAL = new Set(
  '/ /bin /boot /dev /etc /home /lib /lib32 /lib64 /opt /proc /root /run /sbin /srv /sys /usr /usr/bin /usr/lib /usr/local /usr/sbin /usr/share /var /var/lib /var/log /Users /System /Library /Applications /mnt /data'.split(
    ' ',
  ),
)

const VITAL_FILES =
  /^\/(?:etc\/(?:passwd|shadow|group|sudoers|fstab|hosts|resolv\.conf|ssh\/sshd_config)|boot\/.*|vmlinuz.*)$/

/** A home, of whoever runs it or of somebody, with all in it. */
const HOME = /^["']?(?:~[\w.-]*|\$HOME|\$\{HOME\})["']?(?:\/["']?(?:[*.]|\.\*)?["']?)?$/

/** Whether a path, or what a shell makes of it, is something without which a machine or a person is lost. */
export function vitalPath(path: string, cwd: string | undefined): 'directory' | 'file' | undefined {
  if (HOME.test(path)) return 'directory'
  const [, before, list, after] = /^([^{}]*)\{([^{}]*,[^{}]*)\}([^{}]*)$/.exec(path) ?? []
  if (list !== undefined) {
    const ways = list.split(',').slice(0, 32)
    return ways.map((way) => vitalPath(`${before ?? ''}${way}${after ?? ''}`, cwd)).find((found) => found !== undefined)
  }
  const absolute = normalPath(path.replace(/(^|\/)(?:\*+|\.\*|\*\.\*|\.\[[^\]]*\]\*)\/?$/, '$1.'), cwd)
  if (absolute === undefined) return undefined
  if (VITAL.has(absolute) || /^\/(?:home|Users)\/[^/]+$/.test(absolute)) return 'directory'
  if (/[*?[]/.test(absolute) && matchesVital(absolute)) return 'directory'
  return VITAL_FILES.test(absolute) ? 'file' : undefined
}

/** `/e*` and `/???`. */
function matchesVital(glob: string): boolean {
  const parts = glob.replaceAll(/\[[^\]]*\]|\?|\*+|[.+^${}()|\\[\]]/g, (token) => {
    if (token.startsWith('*')) return '[^/]*'
    return token === '?' || token.length > 1 ? '[^/]' : `\\${token}`
  })
  if (!parts.includes('[^/')) return false
  const pattern = new RegExp(`^${parts}$`)
  return [...VITAL].some((path) => pattern.test(path))
}

/** The first of what these words may name without which a machine or a person is lost; also where a shell changed to before. */
export function vitalAmong(
  words: readonly Word[],
  { cwd, mayBeIn = [] }: SimpleCommand,
  given: readonly string[] = [],
): { readonly path: string; readonly kind: 'directory' | 'file' | 'device' } | undefined {
  const directories = cwd === undefined && mayBeIn.length > 0 ? mayBeIn : [cwd]
  const texts = words.flatMap((word) => word.values ?? [valueOf(word) ?? word.text])
  for (const path of [...texts, ...given]) {
    if (isBlockDevice(path)) return { path, kind: 'device' }
    for (const directory of directories) {
      const isHome = directory !== undefined && HOME.test(directory) && /^(?:\.|\.\/)?(?:\*|\.\*)?$/.test(path)
      const kind = isHome ? 'directory' : vitalPath(path, directory)
      if (kind !== undefined) return { path, kind }
    }
  }
  return undefined
}

/** Disks, partitions and volumes. */
export function isBlockDevice(path: string): boolean {
  return /^\/dev\/(?:[shv]d[a-z]|xvd|nvme|mmcblk|md\d|dm-|mapper\/|disk|r?disk\d|loop\d|sr\d|mem$|kmem$)/.test(path)
}
