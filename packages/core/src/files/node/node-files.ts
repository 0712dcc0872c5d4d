import { resolve, sep } from 'node:path'
import { absolute } from '../machine-path.ts'
import type { MachinePath } from '../machine-files.ts'
import { RemoteFiles } from '../remote-files.ts'
import { transfer, type TransferOptions, type TransferResult } from '../transfer/transfer.ts'
import { LocalStore } from './local-store.ts'

/** Files of a machine over the relay, and of this computer. */
export class NodeFiles extends RemoteFiles {
  override inSession(sessionId: string): NodeFiles {
    return new NodeFiles(this.calls.inSession(sessionId))
  }

  /** Copies a file, or with `recursive` a directory, from this computer to exactly this path on the machine. */
  upload(
    localPath: string | Uint8Array,
    remotePath: MachinePath,
    options: TransferOptions = {},
  ): Promise<TransferResult> {
    return transfer(local(localPath), { store: this.store(), path: absolute(remotePath) }, options)
  }

  /** Copies a file, or with `recursive` a directory, from the machine to exactly this path on this computer. */
  download(
    remotePath: MachinePath,
    localPath: string | Uint8Array,
    options: TransferOptions = {},
  ): Promise<TransferResult> {
    return transfer({ store: this.store(), path: absolute(remotePath) }, local(localPath), options)
  }
}

function local(path: string | Uint8Array): { store: LocalStore; path: Uint8Array } {
  if (typeof path !== 'string') return { store: new LocalStore(), path }
  // Windows takes both, and names are joined with this one.
  const whole = sep === '/' ? resolve(path) : resolve(path).replaceAll(sep, '/')
  return { store: new LocalStore(), path: Buffer.from(whole) }
}
