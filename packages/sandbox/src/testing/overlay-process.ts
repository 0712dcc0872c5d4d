import { spawnSync } from 'node:child_process'
import { type Operation, runOperations } from './operations.ts'
import { treeOf } from './tree-of.ts'

/** What the process in its own mount namespace is asked for. Mounts are gone when it ends. */
export type OverlayRequest =
  | {
      readonly mount: {
        readonly root: string
        readonly upper: string
        readonly work: string
        readonly merged: string
        readonly user: boolean
      }
    }
  | { readonly tmpfs: { readonly at: string; readonly bytes: number } }
  | { readonly shell: string; readonly directory: string }
  | { readonly tree: string }
  | { readonly operations: readonly Operation[]; readonly directory: string }

process.on('message', (request: OverlayRequest) => {
  try {
    process.send?.({ output: answer(request) })
  } catch (error) {
    process.send?.({ error: String(error) })
  }
})
process.on('disconnect', () => process.exit(0))

function answer(request: OverlayRequest): string {
  if ('operations' in request) return runOperations(request.directory, request.operations).join('\n')
  if ('tree' in request) return treeOf(request.tree, { links: false }).join('\n')
  if ('shell' in request) return run('sh', ['-c', request.shell], request.directory)
  if ('tmpfs' in request)
    return run('mount', ['-t', 'tmpfs', '-o', `size=${request.tmpfs.bytes}`, 'tmpfs', request.tmpfs.at])
  const { root, upper, work, merged, user } = request.mount
  const flavour = user ? 'userxattr' : 'redirect_dir=on,metacopy=on'
  const options = `lowerdir=${root},upperdir=${upper},workdir=${work},index=off,${flavour}`
  return run('mount', ['-t', 'overlay', '-o', options, 'overlay', merged])
}

function run(command: string, args: readonly string[], cwd?: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', ...(cwd && { cwd }) })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${status}: ${stderr}${stdout}`)
  return stdout
}
