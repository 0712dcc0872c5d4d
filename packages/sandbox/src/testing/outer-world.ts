import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rmdir } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hostProgram } from '../starter/host-program.ts'

/** Where a file system for state folders is in the world: overlayfs cannot keep an upper directory on itself. */
export const OUTER_STATE = '/cmdop-outer-state'

/** The ordinary user of a world, with number 4242 and a home. */
export const OUTER_USER = 'cmdop-user'

/**
 * Makes the world and waits for `go`. Its root is an overlay over `/` alone, with its upper directory on a tmpfs; nothing of the
 * machine's other file systems is in it, device nodes and kernel files are read-only, and what could reach a disk or the
 * kernel itself without a file (mknod, raw I/O, modules, the clock, a reboot) is out of its capabilities.
 */
const SCRIPT = String.raw`
set -eu
world=$1 canary=$2 state=$3 user=$4 as=$5 project=$6 prepare=$7
shift 7
mount --make-rprivate /
mount -t tmpfs -o size=6g,mode=0755 world "$world"
mkdir "$world/upper" "$world/work" "$world/root"
chmod --reference=/ "$world/upper"
mount -t overlay -o "nodev,lowerdir=/,upperdir=$world/upper,workdir=$world/work" overlay "$world/root"
cd "$world/root"
mkdir -p ".$state"
mount -t tmpfs -o nodev,size=6g,mode=0755 state ".$state"
mount -t proc -o nosuid,nodev,noexec proc proc
for name in sys sysrq-trigger irq bus; do
  # An ordinary user can write none of it, and could not mount a proc of their own where this one is covered.
  [ -e "proc/$name" ] && [ "$as" = root ] || continue
  mount --bind "proc/$name" "proc/$name"
  mount -o remount,bind,ro,nosuid,nodev,noexec "proc/$name"
done
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
mount -t tmpfs -o nosuid,mode=0755,size=1m dev dev
for name in null zero full random urandom tty; do
  : > "dev/$name"
  mount --bind "/dev/$name" "dev/$name"
  mount -o remount,bind,ro,nosuid "dev/$name"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs -o nosuid,nodev,mode=1777,size=1g shm dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mkdir cmdop-old-root
pivot_root . cmdop-old-root
cd /
umount -l /cmdop-old-root
rmdir /cmdop-old-root
: > "$canary"
while read -r _ _ _ _ at options _; do
  printf 'mount %s %s\n' "$at" "$options"
done < /proc/self/mountinfo
printf 'canary\n'
read -r answer
[ "$answer" = go ]
printf '%s:x:4242:4242::/home/%s:/bin/sh\n' "$user" "$user" >> /etc/passwd
printf '%s:x:4242:\n' "$user" >> /etc/group
mkdir -p "/home/$user"
chown 4242:4242 "/home/$user"
sh -c "$prepare" > /dev/null
if [ "$as" = user ]; then
  chown 4242:4242 "$state"
  while [ "$project" != / ]; do chmod a+rx "$project"; project=$(dirname "$project"); done
  export HOME="/home/$user" USER="$user"
  exec setpriv --reuid 4242 --regid 4242 --clear-groups -- "$@"
fi
# Where rc files are looked for, whatever home the tests have.
export HOME=/root
exec setpriv --bounding-set=-mknod,-sys_module,-sys_boot,-sys_rawio,-sys_time -- "$@"
`

/** Mounts of the world that can be written to: its own overlay, file systems in memory, and process files. */
const WRITABLE = new Set(['/', OUTER_STATE, '/proc', '/dev', '/dev/pts', '/dev/shm'])

/** How a module runs in an outer world. */
export interface OuterWorldOptions {
  /** Called with everything that the module sends. */
  readonly onReport: (report: unknown) => void
  readonly as?: 'root' | 'user'
  /** A shell script that root runs in the world before. */
  readonly prepare?: string
}

/**
 * Runs a module in a throw-away copy of this machine, as root or as an ordinary user, where it may destroy what it likes, and hands what it sends by
 * `process.send` to `onReport`. The module gets `input` as its last argument, as JSON. Nothing of it runs before it is
 * proven that a file made in the world is not on the machine. Rejects when it fails.
 */
export async function inOuterWorld(
  module: URL,
  input: unknown,
  { onReport, as = 'root', prepare = '' }: OuterWorldOptions,
): Promise<void> {
  // Made outside, so that it is there inside.
  hostProgram()
  const world = await mkdtemp(join(tmpdir(), 'cmdop-outer-'))
  const canary = `/cmdop-canary-${randomUUID()}`
  const program = [process.execPath, '--conditions=@cmdop/source', module.pathname, JSON.stringify(input)]
  const namespaces = ['-m', '-p', '-n', '-i', '-u', '-f', '--kill-child', '--propagation', 'private']
  const project = fileURLToPath(new URL('../../../..', import.meta.url)).replace(/\/$/, '')
  const settings = [world, canary, OUTER_STATE, OUTER_USER, as, project, prepare]
  // It ends with this process, however that ends.
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', 'unshare', ...namespaces, '--', 'sh', '-c', SCRIPT, 'sh', ...settings, ...program],
    {
      stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, CMDOP_OUTER_WORLD: canary },
    },
  )
  const errors: Buffer[] = []
  child.stderr?.on('data', (data: Buffer) => errors.push(data))
  child.on('message', onReport)
  try {
    const exit = once(child, 'exit')
    const isProven = await proven(child, canary)
    child.stdin?.end(isProven ? 'go\n' : 'no\n')
    const [code] = (await exit) as [number | null]
    const text = Buffer.concat(errors).toString().slice(-4000)
    if (!isProven || code !== 0) throw new Error(`The outer world ended with ${code}, proven: ${isProven}. ${text}`)
  } finally {
    child.kill('SIGKILL')
    await rmdir(world)
  }
}

/** Reads the list of mounts and the canary line, and looks for the canary on the machine. */
async function proven(child: ChildProcess, canary: string): Promise<boolean> {
  if (child.stdout === null) return false
  let isClean = true
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'canary') return isClean && !existsSync(canary)
    const [word, at = '', options = ''] = line.split(' ')
    if (word === 'mount') isClean &&= WRITABLE.has(at) || options.split(',').includes('ro')
  }
  return false
}

/** Ends the process unless it is in an outer world: the first line of every module that destroys things. */
export function assertOuterWorld(): void {
  const canary = process.env['CMDOP_OUTER_WORLD']
  if (canary === undefined || !existsSync(canary)) throw new Error('This only runs in an outer world.')
}
