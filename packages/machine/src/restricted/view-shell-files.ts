import { randomBytes } from 'node:crypto'
import { CmdopError } from '@cmdop/protocol'
import type { Sandbox } from '@cmdop/sandbox'
import { createShellFiles, type ShellFiles } from '../sessions/shell/shell-files.ts'

/** In a view this is memory of its own, and no change of it is an effect. */
const SHARED_MEMORY = '/dev/shm'

const PATH = '/usr/local/bin:/usr/bin:/bin'

/**
 * The private folder of a shell in a sandbox. The sandbox's own programs write there, with their rights: whatever they made of
 * the folder, nothing outside is written to. Where nothing at all can be written there, a folder of the machine.
 */
export async function createViewShellFiles(sandbox: Pick<Sandbox, 'spawn'>, fallback: string): Promise<ShellFiles> {
  const folder = `${SHARED_MEMORY}/.cmdop-${randomBytes(8).toString('hex')}`
  if ((await runScript(sandbox, 'umask 077; mkdir "$1"', { args: [folder] })) !== 0) return createShellFiles(fallback)
  let last: Promise<unknown> = Promise.resolve()
  const inOrder = (script: string, name: string, input = ''): Promise<number | null> => {
    const done = last.then(() => runScript(sandbox, script, { args: [`${folder}/${name}`], input }))
    last = done.catch(() => {})
    return done
  }
  return {
    folder,
    write: async (name, text) => {
      if ((await inOrder('umask 077; cat > "$1"', name, text)) === 0) return
      throw new CmdopError('server', 'The private folder of the shell cannot be written to in its view.')
    },
    remove: (name) => inOrder('rm -f "$1"', name).then(nothing, nothing),
    dispose: () => inOrder('rm -rf "$1"', '').then(nothing, nothing),
  }
}

async function runScript(
  sandbox: Pick<Sandbox, 'spawn'>,
  script: string,
  { args, input = '' }: { args: readonly string[]; input?: string },
): Promise<number | null> {
  const request = { file: '/bin/sh', args: ['-c', script, 'sh', ...args], cwd: '/', env: { PATH }, stdin: true }
  const { stdin, stdout, stderr, exit } = await sandbox.spawn(request)
  for (const output of [stdout, stderr]) output.resume().on('error', nothing)
  stdin?.on('error', nothing).end(input)
  return (await exit).exitCode
}

function nothing(): void {}

/** Whether a shell could start there, in the view. */
export async function isDirectoryIn(sandbox: Pick<Sandbox, 'spawn'>, path: string): Promise<boolean> {
  return (await runScript(sandbox, 'cd -- "$1"', { args: [path] })) === 0
}
