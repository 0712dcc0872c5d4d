import { readFileSync } from 'node:fs'

/** One line of `/proc/self/mountinfo`. */
export interface Mount {
  readonly path: string
  readonly type: string
  readonly readOnly: boolean
  /** Options of the mount, such as `nosuid`. */
  readonly options: readonly string[]
}

/** File systems that hold no data of the machine; the view gets its own or none. */
const pseudo = new Set(
  `proc sysfs devtmpfs devpts cgroup cgroup2 securityfs debugfs tracefs mqueue bpf pstore configfs hugetlbfs autofs fusectl
  binfmt_misc nsfs efivarfs rpc_pipefs selinuxfs`.split(/\s+/),
)

/** Directories that the view builds itself, with all that is mounted below. */
const own = ['/proc', '/sys', '/dev']

/** Mounts with data, shallow ones first; of several on one path the last, which is the one on top. `/` is not among them. */
export function dataMounts(table = readFileSync('/proc/thread-self/mountinfo', 'utf8')): readonly Mount[] {
  const byPath = new Map(parseMounts(table).map((mount) => [mount.path, mount]))
  return [...byPath.values()]
    .filter(({ path, type }) => path !== '/' && !pseudo.has(type) && !own.some((folder) => isWithin(path, folder)))
    .toSorted((one, other) => depth(one.path) - depth(other.path))
}

/** All mounts, in the order of the table. */
export function parseMounts(table: string): readonly Mount[] {
  return table
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ')
      const [, , , , path = '', options = ''] = before.split(' ')
      const [type = '', , superOptions = ''] = after.split(' ')
      const readOnly = [options, superOptions].some((list) => list.split(',').includes('ro'))
      return { path: unescape(path), type, readOnly, options: options.split(',') }
    })
}

/** True for the directory itself and everything below it. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`)
}

/** Blanks, tabs, newlines and backslashes are written as `\040` and so on. */
function unescape(path: string): string {
  if (!path.includes('\\')) return path
  const bytes = path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
  return bytes
}

function depth(path: string): number {
  return path.split('/').length
}
