import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Restrictions } from '@cmdop/protocol'
import { expect } from 'vitest'
import { landlockVersion } from '../host/landlock.ts'
import { removeTree } from '../remove-tree.ts'
import { needsNamespaces } from '../restrictions/plan-restrictions.ts'
import { type Sandbox, type SandboxOptions, openSandbox } from '../sandbox.ts'
import { HostProcess } from '../starter/host-process.ts'

/** Where the sandboxes of one test file are. */
export interface Place extends AsyncDisposable {
  readonly base: string
  /** Of the state folders. */
  readonly folder: string
  /** Whether this machine has what a view needs. Where it does not, the same tests hold that it says so. */
  readonly hasNamespaces: boolean
  /**
   * Runs a test in a sandbox, in a new folder with two files. On a machine without namespaces it holds instead that the restrictions
   * are refused before anything runs or, where that suffices, held by Landlock.
   */
  readonly within: (
    restrictions: Restrictions,
    body: (sandbox: Sandbox, home: string) => Promise<void>,
    options?: Partial<SandboxOptions>,
  ) => Promise<void>
}

/** Makes a temporary folder, and finds out what the machine has. */
export async function createPlace(): Promise<Place> {
  const base = await mkdtemp(join(tmpdir(), 'cmdop-sandbox-'))
  const folder = join(base, 'state')
  const privilege = process.getuid?.() === 0 ? 'root' : 'user'
  const host = await HostProcess.start({ privilege, network: 'none' }).catch(() => undefined)
  await host?.[Symbol.asyncDispose]()
  const hasNamespaces = host !== undefined
  return {
    base,
    folder,
    hasNamespaces,
    within: async (restrictions, body, options = {}) => {
      const home = await mkdtemp(join(base, 'home-'))
      await writeFile(join(home, 'kept.txt'), 'kept')
      await writeFile(join(home, 'other.txt'), 'other')
      const opening = openSandbox(restrictions, { folder, cwd: home, ...options })
      if (!hasNamespaces && (needsNamespaces(restrictions) !== undefined || landlockVersion() === 0)) {
        await expect(opening).rejects.toMatchObject({ code: 'restriction_unenforceable', details: { executed: false } })
        return
      }
      const sandbox = await opening
      try {
        if (hasNamespaces || options.tier !== undefined) await body(sandbox, home)
        else expect(sandbox.tier).toBe('landlock')
      } finally {
        await sandbox.discard()
      }
    },
    [Symbol.asyncDispose]: () => removeTree(base),
  }
}
