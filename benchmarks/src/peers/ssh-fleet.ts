import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { need, type PeerProgram } from './programs.ts'
import { countLines, runProgram } from './run.ts'
import { freePort, login, makeKeys, privilegeSeparationFolder, startSshd } from './sshd.ts'

/** Masters that connect at once. */
const AT_ONCE = 10

/** Many hosts that are one sshd on loopback, each with a warm master connection of its own. */
export interface SshFleet extends AsyncDisposable {
  /** Ways to run a command on the first `count` hosts, so many at once: a line of output from each. Throw when one is missing. */
  readonly ways: Readonly<Record<'ClusterShell' | 'pssh' | 'ansible -m raw', (count: number) => Promise<void>>>
}

/** Starts it. Throws when a program is missing. */
export async function startSshFleet(
  hosts: number,
  { command, fanOut }: { readonly command: string; readonly fanOut: number },
): Promise<SshFleet> {
  await using opened = new AsyncDisposableStack()
  // Short, because names of sockets are: ssh adds some characters to them.
  const folder = await mkdtemp('/tmp/cb-')
  opened.defer(() => rm(folder, { recursive: true }))
  await makeKeys(folder)
  opened.use(await privilegeSeparationFolder())
  const port = await freePort()
  opened.use(await startSshd(folder, 'fleet', port, ['MaxStartups 200:30:400']))
  const config = join(folder, 'ssh.conf')
  await writeFile(config, clientConfig(folder, port))
  const names = Array.from({ length: hosts }, (_, index) => `h${String(index).padStart(4, '0')}`)
  const ssh = need('ssh')
  opened.defer(async () => {
    for (const name of names) await runProgram(ssh, ['-F', config, '-O', 'exit', name]).catch(() => {})
  })
  await login(ssh, ['-F', config, names[0] ?? '', 'true'])
  for (let next = 0; next < hosts; next += AT_ONCE)
    await Promise.all(names.slice(next, next + AT_ONCE).map((name) => runProgram(ssh, ['-F', config, name, 'true'])))
  const lists = new Map<number, Promise<string>>()
  const listOf = (count: number) => {
    const known = lists.get(count) ?? writeList(folder, names.slice(0, count))
    lists.set(count, known)
    return known
  }
  const expectLines = async (
    count: number,
    file: PeerProgram,
    args: readonly string[],
    env: Record<string, string> = {},
  ) => {
    const lines = await countLines(need(file), args, { match: 'load average', env: { ...env, HOME: folder } })
    if (lines !== count) throw new Error(`${file}: ${lines} of ${count} hosts answered.`)
  }
  const running = opened.move()
  return {
    ways: {
      ClusterShell: (count) =>
        expectLines(count, 'clush', [
          '-S',
          '-f',
          String(fanOut),
          '-o',
          `-F ${config}`,
          '-w',
          `h[0000-${String(count - 1).padStart(4, '0')}]`,
          command,
        ]),
      pssh: async (count) =>
        expectLines(count, 'parallel-ssh', [
          '-p',
          String(fanOut),
          '-t',
          '0',
          '-x',
          `-F ${config}`,
          '-h',
          await listOf(count),
          '-i',
          command,
        ]),
      'ansible -m raw': async (count) =>
        expectLines(
          count,
          'ansible',
          ['all', '-i', await listOf(count), '-f', String(fanOut), '-m', 'raw', '-a', command],
          {
            ANSIBLE_SSH_ARGS: `-F ${config}`,
            ANSIBLE_HOST_KEY_CHECKING: 'False',
            ANSIBLE_NOCOLOR: '1',
            ANSIBLE_PIPELINING: 'True',
            ANSIBLE_LOCAL_TEMP: folder,
          },
        ),
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

async function writeList(folder: string, names: readonly string[]): Promise<string> {
  const file = join(folder, `hosts-${names.length}`)
  await writeFile(file, `${names.join('\n')}\n`)
  return file
}

function clientConfig(folder: string, port: number): string {
  return [
    'Host h*',
    '  HostName 127.0.0.1',
    `  Port ${port}`,
    `  User ${userInfo().username}`,
    `  IdentityFile ${join(folder, 'user')}`,
    '  IdentitiesOnly yes',
    '  IdentityAgent none',
    `  UserKnownHostsFile ${join(folder, 'known_hosts')}`,
    '  GlobalKnownHostsFile /dev/null',
    '  HostKeyAlgorithms ssh-ed25519',
    '  StrictHostKeyChecking yes',
    '  BatchMode yes',
    '  ControlMaster auto',
    `  ControlPath ${join(folder, '%n')}`,
    '  ControlPersist 3600',
    '  LogLevel ERROR',
    '',
  ].join('\n')
}
