import { type SimpleCommand, type Word, valueOf } from '../parse/simple-command.ts'
import type { Danger } from './danger-level.ts'
import { findRoots } from '../unwrap/find.ts'
import { vitalAmong, vitalPath } from './vital-paths.ts'

type DangerCheck = (command: SimpleCommand) => Danger | undefined

const critical = (reason: string): Danger => ({ level: 'critical', reason })
const high = (reason: string): Danger => ({ level: 'high', reason })

const formats: DangerCheck = () => critical('It overwrites a disk or volume, with everything on it.')
const stops: DangerCheck = () => high('It stops or restarts the whole machine.')

/** Commands that can do more harm than their class says, by name. */
export const commandDangers: Readonly<Record<string, DangerCheck>> = {
  rm: removes,
  rmdir: removes,
  unlink: removes,
  shred: overwrites,
  truncate: overwrites,
  mv: (command) => lost(command, operands(command).slice(0, -1), 'It moves') ?? replaces(command),
  find: (command) =>
    has(command, '-delete') ? lost(command, [], 'It deletes in', findRoots(command.words.slice(1))) : undefined,
  dd: overwrites,
  ...named('cp install ln', replaces),
  tee: (command) => (has(command, '-a', '--append') ? undefined : overwrites(command)),
  ...named('sed gsed', overwrites),
  rsync: (command) =>
    texts(command).some((text) => text.startsWith('--del'))
      ? lost(command, operands(command).slice(-1), 'It deletes in')
      : undefined,
  ...named(
    'mkfs mke2fs mkswap wipefs blkdiscard mkfs.ext2 mkfs.ext3 mkfs.ext4 mkfs.xfs mkfs.btrfs mkfs.vfat mkfs.fat mkfs.ntfs',
    formats,
  ),
  ...named('fdisk sfdisk gdisk sgdisk parted lvremove vgremove pvremove cryptsetup', formats),
  zpool: (command) => (has(command, 'destroy') ? critical('It destroys a whole pool of disks.') : undefined),
  zfs: (command) =>
    has(command, 'destroy') ? critical('It destroys a file system, with everything on it.') : undefined,
  ...named('chmod chown chgrp chattr setfacl', rights),
  ...named('shutdown reboot halt poweroff telinit init', stops),
  systemctl: (command) =>
    has(command, 'poweroff', 'reboot', 'halt', 'kexec', 'emergency', 'rescue', 'suspend')
      ? stops(command)
      : has(command, 'ssh', 'sshd', 'ssh.service', 'sshd.service', 'network', 'NetworkManager', 'systemd-networkd')
        ? high('It can cut the way to the machine.')
        : undefined,
  ...named('kill killall pkill', (command) =>
    has(command, '-1') && has(command, '-9', '-KILL', '-SIGKILL', '-s', 'KILL', '--')
      ? critical('It ends every process of the machine.')
      : has(command, '1', 'init', 'systemd', 'sshd')
        ? high('It can end the machine, or the way to it.')
        : undefined,
  ),
  ...named('iptables ip6tables nft ufw firewall-cmd', () =>
    high('It changes the firewall, and can cut the way to the machine.'),
  ),
  ip: () => high('It changes the network, and can cut the way to the machine.'),
  ifconfig: () => high('It changes the network, and can cut the way to the machine.'),
  userdel: (command) => (has(command, 'root') ? critical('It removes root.') : high('It removes a user.')),
  ...named('passwd usermod visudo', () => high('It changes who can do what on the machine.')),
  crontab: () => high('It replaces or removes a whole table of jobs.'),
  ...named('terraform tofu', (command) =>
    has(command, 'destroy', '-destroy', '--destroy')
      ? critical('It destroys everything that was made with it.')
      : undefined,
  ),
  ...named('kubectl oc', (command) =>
    has(command, 'delete') && texts(command).some(isWholePart)
      ? critical('It removes a whole part of the cluster, with what is in it.')
      : undefined,
  ),
  git: (command) => (has(command, 'push') ? high('It changes what others have.') : undefined),
  ...named('psql mysql mariadb sqlite3', (command) =>
    texts(command).some((text) =>
      /\b(?:drop|truncate)\s+(?:database|schema|table)|\bdelete\s+from\s+\S+\s*;?$/i.test(text),
    )
      ? critical('It removes a database, a table or all of its rows.')
      : undefined,
  ),
  'redis-cli': (command) =>
    texts(command).some((text) => /flush(?:all|db)/i.test(text)) ? critical('It removes every key.') : undefined,
  ...named('mongo mongosh', (command) =>
    texts(command).some((text) => /\.(?:dropDatabase|drop)\s*\(/.test(text))
      ? critical('It removes a database, or all of a collection.')
      : undefined,
  ),
  ...named('dropdb mysqladmin', (command) =>
    has(command, 'dropdb', 'drop') ? critical('It removes a whole database.') : undefined,
  ),
  aws: (command) =>
    has(command, 'rb', 'rm') && has(command, '--force', '--recursive')
      ? critical('It removes a whole bucket or folder.')
      : undefined,
}

function named(names: string, check: DangerCheck): Record<string, DangerCheck> {
  return Object.fromEntries(names.split(' ').map((name) => [name, check]))
}

function removes(command: SimpleCommand): Danger | undefined {
  return lost(command, operands(command), 'It removes')
}

/** What is lost of the words of a command, and of what `find` and `xargs` give it. */
function lost(
  command: SimpleCommand,
  words: readonly Word[],
  what: string,
  more?: readonly string[],
): Danger | undefined {
  // `$dir/` is the root where the variable is empty.
  const root = words.find(
    ({ values, text }) => values === undefined && /^["']?\$\{?\w+\}?["']?\/[*.]*$/.test(text) && !/HOME/.test(text),
  )
  if (root !== undefined) return critical(`${what} everything on the machine where ${root.text} is empty.`)
  const given = command.via.some((name) => /^g?find$|^xargs$/.test(name)) ? (command.given ?? []) : []
  const found = vitalAmong(words, command, [...given, ...(more ?? [])])
  if (found === undefined) return undefined
  return critical(
    found.kind === 'device'
      ? `${what} the device ${found.path}.`
      : `${what} ${found.path}, without which a machine or a person is lost.`,
  )
}

/** What is written over: whole, or edited in place. */
function overwrites(command: SimpleCommand): Danger | undefined {
  const targets = operands(command).flatMap((word) => {
    const text = valueOf(word) ?? word.text
    if (text.startsWith('if=')) return []
    const path = text.replace(/^of=/, '')
    return [path === text ? word : { ...word, values: [path], text: path }]
  })
  const found = vitalAmong(targets, command)
  return found === undefined ? undefined : critical(`It overwrites ${found.path}.`)
}

/** The last word is replaced, where it is a file or a device: into a directory something is only put. */
function replaces(command: SimpleCommand): Danger | undefined {
  const found = vitalAmong(operands(command).slice(-1), command)
  return found === undefined || found.kind === 'directory' ? undefined : critical(`It replaces ${found.path}.`)
}

/** Kinds that hold others: `ns`, `namespace/prod`, `deploy,ns`. */
function isWholePart(text: string): boolean {
  const kinds = text.split('/', 1)[0]?.toLowerCase().split(',') ?? []
  return kinds.some((kind) =>
    /^(?:ns|namespaces?|nodes?|no|pvc?|persistentvolume(?:claim)?s?|crds?|customresourcedefinitions?|--all(?:=true)?|--all-namespaces|-A)$/i.test(
      kind.split('.', 1)[0] ?? '',
    ),
  )
}

/** Rights of everything, for everybody, or for nobody. */
function rights(command: SimpleCommand): Danger | undefined {
  const isRecursive = texts(command).some((text) => /^(?:-[a-zA-Z]*R|--recursive)/.test(text))
  const vital = operands(command)
    .map((word) => valueOf(word) ?? word.text)
    .find((path) => path.startsWith('/') && vitalPath(path, command.cwd) !== undefined)
  if (vital === undefined) return undefined
  return isRecursive
    ? critical(`It changes the rights of everything below ${vital}.`)
    : high(`It changes the rights of ${vital}.`)
}

function operands({ words }: SimpleCommand): readonly Word[] {
  return words.slice(1).filter((word) => !(valueOf(word) ?? word.text).startsWith('-'))
}

function texts({ words }: SimpleCommand): string[] {
  return words.map((word) => valueOf(word) ?? '')
}

function has(command: SimpleCommand, ...wanted: readonly string[]): boolean {
  return texts(command).some((text) => wanted.includes(text))
}
