import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { temporaryFolder } from '../temporary-folder.ts'
import { need } from './programs.ts'
import { runProgram, startProgram } from './run.ts'

/** Folder that sshd wants to find when it runs as root; a service makes it, which may not be running. */
const PRIVILEGE_SEPARATION_FOLDER = '/run/sshd'

/** Milliseconds in which sshd must let us in. */
const READY_WITHIN_MS = 15_000

/** OpenSSH on loopback: two sshd, with keys and configuration of their own, and a master connection to each way. */
export interface OpenSsh extends AsyncDisposable {
  readonly ssh: string
  /** Arguments for one hop over a warm master connection; a command follows. */
  readonly direct: readonly string[]
  /** The same through one jump host (`ssh -J`). */
  readonly jumped: readonly string[]
  /** The same without a connection that is there already: what a person types. */
  readonly whole: readonly string[]
  /** One hop over the warm connection with a terminal at its other end (`ssh -tt`). */
  readonly terminal: readonly string[]
  readonly scp: string
  /** Arguments for a copy through the jump host, with its handshakes; source and target follow. */
  readonly copyJumped: readonly string[]
  readonly copyDirect: readonly string[]
  /** Arguments for a connection of its own that forwards a port (`-N -L ...`), through the jump host and without it. */
  forward(way: 'direct' | 'jumped', localPort: number, port: number): readonly string[]
}

/** Starts OpenSSH. Throws when a program is missing, or when it does not let this user in. */
export async function startOpenSsh(): Promise<OpenSsh> {
  await using opened = new AsyncDisposableStack()
  const folder = opened.use(await temporaryFolder()).path
  await makeKeys(folder)
  opened.use(await privilegeSeparationFolder())
  const ports = { target: await freePort(), jump: await freePort() }
  for (const [name, port] of Object.entries(ports)) opened.use(await startSshd(folder, name, port))
  const config = await writeClientConfig(folder, ports)
  const ssh = need('ssh')
  const ways = { direct: ['-F', config], jumped: ['-F', config, '-J', 'jump'] }
  for (const [name, args] of Object.entries(ways)) {
    const socket = join(folder, `${name}.sock`)
    // First a whole login: it waits for sshd, and says whether it lets us in.
    await login(ssh, [...args, 'target', 'true'])
    opened.use(startProgram(ssh, [...args, '-M', '-S', socket, '-N', 'target']))
    await login(ssh, ['-F', config, '-S', socket, '-O', 'check', 'target'])
  }
  const socket = (name: string) => ['-F', config, '-S', join(folder, `${name}.sock`)]
  const over = (name: string) => [...socket(name), '-T', 'target']
  const running = opened.move()
  return {
    ssh,
    direct: over('direct'),
    jumped: over('jumped'),
    whole: [...ways.jumped, '-T', 'target'],
    terminal: [...socket('direct'), '-tt', 'target'],
    scp: need('scp'),
    copyJumped: ['-q', ...ways.jumped],
    copyDirect: ['-q', ...ways.direct],
    forward: (way, localPort, port) => [...ways[way], '-N', '-L', `127.0.0.1:${localPort}:127.0.0.1:${port}`, 'target'],
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** Keys of a host and of a user, and the files that make each trust the other. */
export async function makeKeys(folder: string): Promise<void> {
  await chmod(folder, 0o700)
  for (const name of ['host', 'user']) {
    await runProgram(need('ssh-keygen'), ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)])
  }
  await writeFile(join(folder, 'authorized_keys'), await readFile(join(folder, 'user.pub')))
  await writeFile(join(folder, 'known_hosts'), `* ${await readFile(join(folder, 'host.pub'), 'utf8')}`)
}

/** An sshd on loopback with the keys of the folder. */
export async function startSshd(
  folder: string,
  name: string,
  port: number,
  more: readonly string[] = [],
): Promise<AsyncDisposable> {
  const file = join(folder, `sshd-${name}.conf`)
  const settings = [
    'ListenAddress 127.0.0.1',
    `Port ${port}`,
    `HostKey ${join(folder, 'host')}`,
    `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
    'PidFile none',
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    'PrintMotd no',
    'PrintLastLog no',
    // No start-up file of a shell slows ssh down.
    `SetEnv HOME=${folder}`,
    'LogLevel ERROR',
    'Subsystem sftp internal-sftp',
    ...more,
  ]
  await writeFile(file, `${settings.join('\n')}\n`)
  return startProgram(need('sshd'), ['-D', '-e', '-f', file])
}

async function writeClientConfig(folder: string, ports: Record<string, number>): Promise<string> {
  const file = join(folder, 'ssh.conf')
  const hosts = Object.entries(ports).map(([name, port]) => `Host ${name}\n  HostName 127.0.0.1\n  Port ${port}`)
  const all = [
    'Host *',
    `  User ${userInfo().username}`,
    `  IdentityFile ${join(folder, 'user')}`,
    '  IdentitiesOnly yes',
    '  IdentityAgent none',
    `  UserKnownHostsFile ${join(folder, 'known_hosts')}`,
    '  GlobalKnownHostsFile /dev/null',
    '  HostKeyAlgorithms ssh-ed25519',
    '  StrictHostKeyChecking yes',
    '  BatchMode yes',
    '  ControlPersist no',
    '  LogLevel ERROR',
  ]
  await writeFile(file, `${[...hosts, ...all].join('\n')}\n`)
  return file
}

/** Runs a program again until sshd lets it in. Throws when it does not in time. */
export async function login(ssh: string, args: readonly string[]): Promise<void> {
  const end = Date.now() + READY_WITHIN_MS
  for (;;) {
    try {
      return await runProgram(ssh, args)
    } catch (cause) {
      if (Date.now() > end) throw new Error(`sshd did not let ${userInfo().username} in.`, { cause })
      await sleep(50)
    }
  }
}

/** Made when it is missing, and removed again. */
export async function privilegeSeparationFolder(): Promise<AsyncDisposable> {
  if (process.getuid?.() !== 0 || existsSync(PRIVILEGE_SEPARATION_FOLDER))
    return { [Symbol.asyncDispose]: async () => {} }
  await mkdir(PRIVILEGE_SEPARATION_FOLDER, { mode: 0o755 })
  return { [Symbol.asyncDispose]: () => rmdir(PRIVILEGE_SEPARATION_FOLDER) }
}

/** A port of loopback that nobody has. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
