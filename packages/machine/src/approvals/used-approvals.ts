import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '@cmdop/protocol'
import { writeDurably } from '../exec/durable-file.ts'

/**
 * The approvals that this machine has used, also over restarts: a file each, on the disk before anything runs, for as long as
 * the approval could be shown again.
 */
export class UsedApprovals {
  readonly #folder: string

  constructor(dataDir: string) {
    this.#folder = join(dataDir, 'approvals-used')
  }

  /** False when it was used before. */
  async use(useId: string, expiresAt: number): Promise<boolean> {
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 })
      await writeDurably(join(this.#folder, nameOf(useId)), String(expiresAt), 'wx')
      return true
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return false
      throw error
    }
  }

  /** Forgets those that have expired, by the relay's clock. */
  async prune(now: number): Promise<void> {
    const names = await readdir(this.#folder).catch(() => [])
    for (const name of names) {
      const file = join(this.#folder, name)
      const expiresAt = Number(await readFile(file, 'utf8'))
      // One that a killed daemon left empty is kept: what it was for may have run.
      if (expiresAt > 0 && expiresAt <= now) await rm(file, { force: true })
    }
  }
}

function nameOf(useId: string): string {
  return createHash('sha256').update(useId).digest('hex')
}
