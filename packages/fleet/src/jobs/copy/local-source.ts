import { digestLocal, localVersion } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'

/** What is copied to the machines of a run, and that it is still the same. */
export interface LocalSource {
  /** Throws `conflict` unless it is what the run began with. Reads it again only if it may have been written to. */
  assertSame(signal: AbortSignal): Promise<void>
}

/** A file or a directory that has to have this digest, whoever asks and whenever. */
export function localSource(
  path: string,
  { recursive, sha256 }: { readonly recursive: boolean; readonly sha256: string },
): LocalSource {
  let known: string | undefined
  let looked: Promise<void> = Promise.resolve()
  const look = async () => {
    const version = await localVersion(path, { recursive })
    if (version === known) return
    const now = await digestLocal(path, { recursive })
    if (now.sha256 !== sha256)
      throw new CmdopError('conflict', `${path} is not what the run began with any more; begin another run for it.`, {
        details: { sha256: now.sha256, began: sha256 },
      })
    known = now.version
  }
  return {
    assertSame: async (signal) => {
      signal.throwIfAborted()
      // One after the other, so that it is read again once, and each look is after the moment at which it is asked for.
      looked = looked.then(look, look)
      await looked
    },
  }
}
