import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isCmdopError } from '@cmdop/protocol'
import { openSandbox } from '@cmdop/sandbox'

/** Whether this machine can make a view. Tests that need one are shown as not run where it cannot. */
export const hasViews: boolean = await tryOne()

async function tryOne(): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'cmdop-views-'))
  try {
    const sandbox = await openSandbox({ dryRun: true }, { folder, cwd: '/' })
    await sandbox.discard()
    return true
  } catch (error) {
    if (isCmdopError(error) && error.code === 'restriction_unenforceable') return false
    throw error
  } finally {
    await rm(folder, { recursive: true })
  }
}
