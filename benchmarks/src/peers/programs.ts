import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { readSearchPath } from '../config.ts'

/** Programs that a figure compares with, and the Debian packages they are in. */
export const debianPackages = {
  ssh: 'openssh-client',
  scp: 'openssh-client',
  'ssh-keygen': 'openssh-client',
  sshd: 'openssh-server',
  bwrap: 'bubblewrap',
  clush: 'clustershell',
  'parallel-ssh': 'pssh',
  ansible: 'ansible-core',
} as const
export type PeerProgram = keyof typeof debianPackages

/** A daemon is often outside of a user's PATH. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/sbin']

/** The path of a program; undefined when it is not installed. */
export function findProgram(name: PeerProgram): string | undefined {
  const folders = [...readSearchPath().split(delimiter), ...SYSTEM_FOLDERS]
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

/** The path of a program. Throws when it is not installed. */
export function need(program: PeerProgram): string {
  const path = findProgram(program)
  if (path === undefined) throw new Error(`${program} is not installed: apt-get install ${debianPackages[program]}`)
  return path
}

/** Debian packages of the programs that are not installed. */
export function missingPackages(programs: readonly PeerProgram[]): string[] {
  const missing = programs.filter((name) => findProgram(name) === undefined)
  return [...new Set(missing.map((name) => debianPackages[name]))]
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
