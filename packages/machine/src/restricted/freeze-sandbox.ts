import type { EffectList } from '@cmdop/protocol'
import type { Sandbox } from '@cmdop/sandbox'

/** Ends every process of a sandbox, and says what shows in no list of files. One whose host is gone has no processes. */
export async function freezeSandbox(
  sandbox: Pick<Sandbox, 'freeze' | 'restrictions'>,
): Promise<EffectList['sideEffects']> {
  const network = sandbox.restrictions.network ?? 'none'
  try {
    return { network, ...(await sandbox.freeze()) }
  } catch {
    return { network, networkAttempts: 0, backgroundKilled: 0 }
  }
}
