/** One line of /proc/self/mountinfo. */
export interface Mount {
  /** `major:minor` of the file system; the same for all mounts of one. */
  device: string
  /** Which folder of the file system is mounted: `/`, or more for a bind mount. */
  root: string
  mount: string
  type: string
  /** What `df` calls the file system: `/dev/sda1`, `tmpfs`. */
  filesystem: string
}

/** Types that `df` leaves out as holding no files (gnulib's list in mountlist.c). The others without blocks go by size. */
const pseudoTypes = new Set([
  'autofs',
  'cgroup',
  'cgroup2',
  'debugfs',
  'devpts',
  'fuse.portal',
  'fusectl',
  'mqueue',
  'proc',
  'rpc_pipefs',
  'subfs',
  'sysfs',
])

/** The lines of a /proc/self/mountinfo (proc_pid_mountinfo(5)) in order. A line that is none is left out. */
export function parseMountInfo(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    // Any number of optional fields stands between the options and the hyphen.
    const [place, kind] = line.split(' - ', 2).map((half) => half.split(' '))
    const [, , device, root, mount] = place ?? []
    const [type, filesystem] = kind ?? []
    if (!device || !root || !mount || !type || filesystem === undefined) return []
    return [{ device, root: unescape(root), mount: unescape(mount), type, filesystem: unescape(filesystem) }]
  })
}

/**
 * The mounts that `df` would print: no pseudo file systems, the upper one of two at the same place, and every file
 * system once, by its mount nearest to the root of both. `/` always stays.
 */
export function selectMounts(mounts: readonly Mount[]): Mount[] {
  const visible = new Map(mounts.map((mount) => [mount.mount, mount]))
  const byDevice = new Map<string, Mount>()
  for (const mount of visible.values()) {
    if (pseudoTypes.has(mount.type)) continue
    const other = byDevice.get(mount.device)
    if (other === undefined || isNearer(mount, other)) byDevice.set(mount.device, mount)
  }
  return [...byDevice.values()]
}

function isNearer(mount: Mount, other: Mount): boolean {
  if (mount.mount === '/' || other.mount === '/') return mount.mount === '/'
  if (mount.root.length !== other.root.length) return mount.root.length < other.root.length
  return mount.mount.length < other.mount.length
}

/** The kernel writes space, tab, newline, hash and backslash as three octal digits of one byte. */
function unescape(field: string): string {
  return field.replaceAll(/\\([0-7]{3})/g, (_match, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
