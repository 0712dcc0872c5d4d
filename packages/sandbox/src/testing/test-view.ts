import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bootId } from '../disk/boot-id.ts'
import { createUpper } from './create-upper.ts'
import type { View } from '../view.ts'
import type { Operation } from './operations.ts'
import type { OverlayRequest } from './overlay-process.ts'

/** A process in a mount namespace of its own, in which overlays over temporary folders are mounted. */
export interface OverlayWorld extends AsyncDisposable {
  readonly user: boolean
  /** A path as the process sees it, where it mounted something there. */
  seen(path: string): string
  /** A new temporary folder, removed at the end. */
  folder(): string
  /** An overlay over `root`; commands work in its merged tree. */
  view(root: string): Promise<TestView>
  ask(request: OverlayRequest): Promise<string>
}

/** A view over one temporary folder. */
export interface TestView {
  readonly view: View
  /** The merged tree, seen by the process alone. */
  readonly shell: (command: string) => Promise<string>
  readonly run: (operations: readonly Operation[]) => Promise<string>
  /** The merged tree as `treeOf` gives it, without links. */
  readonly tree: () => Promise<string>
}

/** The user nobody, of every system. */
const nobody = 65_534

/** Overlays that are tried: by root, and by an ordinary user. */
export const overlayKinds = process.getuid?.() === 0 ? [{ user: false }, { user: true }] : [{ user: true }]

/** Whether this machine has the namespaces for them. Tests that need them are shown as not run where it has not. */
export const hasOverlays = overlayKinds.every(({ user }) => {
  const { namespaces, owner } = worldOf(user)
  return spawnSync('unshare', [...namespaces, 'true'], { cwd: '/', ...owner }).status === 0
})

/** Flags of unshare(1), and whom it runs as where that is another user than this one. */
function worldOf(user: boolean): { namespaces: readonly string[]; owner?: { uid: number; gid: number } } {
  const namespaces = [...(user ? ['-U', '--map-current-user', '--keep-caps'] : []), '-m', '--propagation', 'private']
  return { namespaces, ...(user && process.getuid?.() === 0 && { owner: { uid: nobody, gid: nobody } }) }
}

/** Starts the process; `user: true` as an ordinary user in a user namespace, by an ordinary overlay of theirs. */
export async function startOverlays({ user = process.getuid?.() !== 0 } = {}): Promise<OverlayWorld> {
  const { namespaces, owner } = worldOf(user)
  const asNobody = owner !== undefined
  const script = fileURLToPath(new URL('overlay-process.ts', import.meta.url))
  const args = [...namespaces, process.execPath, '--conditions=@cmdop/source', script]
  const child = spawn('unshare', args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], cwd: '/', ...owner })
  const folders: string[] = []
  const ask = createAsk(child)
  const folder = () => {
    const path = mkdtempSync(join(tmpdir(), 'cmdop-effects-'))
    folders.push(path)
    if (asNobody) chownSync(path, nobody, nobody)
    return path
  }
  return {
    user,
    seen: (path) => `/proc/${child.pid}/root${path}`,
    folder,
    ask,
    view: (root) => makeView({ ask, folder, user, asNobody, seen: `/proc/${child.pid}/root` }, root),
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit')
        child.kill('SIGKILL')
        await exited
      }
      for (const path of folders) removeFolder(Buffer.from(path))
    },
  }
}

interface Parts {
  readonly ask: OverlayWorld['ask']
  readonly folder: () => string
  readonly user: boolean
  readonly asNobody: boolean
  readonly seen: string
}

let views = 0

async function makeView({ ask, folder, user, asNobody, seen }: Parts, root: string): Promise<TestView> {
  const state = folder()
  // Where the process mounted a filesystem of its own, the real disk is what it sees.
  const real = existsSync(root) ? root : seen + root
  const [upper, work, merged, marker] = ['u', 'w', 'm', 'marker'].map((name) => join(state, name)) as [
    string,
    string,
    string,
    string,
  ]
  writeFileSync(marker, bootId())
  createUpper(real, upper)
  mkdirSync(work)
  mkdirSync(merged)
  if (asNobody) for (const path of [work, merged]) chownSync(path, nobody, nobody)
  await ask({ mount: { root, upper, work, merged, user } })
  const view: View = {
    id: `t${views++}`,
    folder: state,
    layers: [{ root: real, upper }],
    flavour: user ? 'user' : 'trusted',
    marker,
  }
  return {
    view,
    shell: (shell) => ask({ shell, directory: merged }),
    run: (operations) => ask({ operations, directory: merged }),
    tree: () => ask({ tree: merged }),
  }
}

function createAsk(child: ChildProcess): OverlayWorld['ask'] {
  let errors = ''
  child.stderr?.on('data', (data: Buffer) => (errors += data.toString()))
  return async (request) => {
    const listening = new AbortController()
    const { signal } = listening
    try {
      child.send(request)
      const ended = once(child, 'exit', { signal }).then(() =>
        Promise.reject(new Error(`The process of the overlays ended: ${errors}`)),
      )
      const [answer] = (await Promise.race([once(child, 'message', { signal }), ended])) as [
        { output?: string; error?: string },
      ]
      if (answer.error !== undefined) throw new Error(answer.error)
      return answer.output ?? ''
    } finally {
      listening.abort()
    }
  }
}

/** Removes a folder of a test, with names of any bytes and directories of any mode. Links are not followed. */
export function removeFolder(path: Buffer): void {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (!stats) return
  if (!stats.isDirectory()) return unlinkSync(path)
  chmodSync(path, 0o700)
  for (const name of readdirSync(path, { encoding: 'buffer' }))
    removeFolder(Buffer.concat([path, Buffer.from('/'), name]))
  rmdirSync(path)
}
