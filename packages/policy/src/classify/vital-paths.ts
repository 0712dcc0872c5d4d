import { normalPath } from '../rules/paths.ts'

/** Directories of the system and of people; below some of them the next level is as vital. */
const VITAL = new Set(
  '/ /bin /boot /dev /etc /home /lib /lib32 /lib64 /opt /proc /root /run /sbin /srv /sys /usr /usr/bin /usr/lib /usr/local /usr/sbin /usr/share /var /var/lib /var/log /Users /System /Library /Applications /mnt /data'.split(
    ' ',
  ),
)

const VITAL_FILES =
  /^\/(?:etc\/(?:passwd|shadow|group|sudoers|fstab|hosts|resolv\.conf|ssh\/sshd_config)|boot\/.*|vmlinuz.*)$/

/** Whether a path, or what a shell makes of it, is something without which a machine or a person is lost. */
export function vitalPath(path: string, cwd: string | undefined): 'directory' | 'file' | undefined {
  if (path === '~' || path === '~/' || path === '~/*') return 'directory'
  const withoutGlob = path.replace(/\/[*.?{}[\],]*$/, '/')
  const absolute = normalPath(withoutGlob === '' ? '/' : withoutGlob, cwd)
  if (absolute === undefined) return undefined
  if (VITAL.has(absolute) || /^\/(?:home|Users)\/[^/]+$/.test(absolute)) return 'directory'
  return VITAL_FILES.test(absolute) ? 'file' : undefined
}

/** Disks, partitions and volumes. */
export function isBlockDevice(path: string): boolean {
  return /^\/dev\/(?:[shv]d[a-z]|xvd|nvme|mmcblk|md\d|dm-|mapper\/|disk|r?disk\d|loop\d|sr\d|mem$|kmem$)/.test(path)
}
