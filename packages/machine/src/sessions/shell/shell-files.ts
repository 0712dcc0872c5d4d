import { mkdirSync, unlinkSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

/** The private folder of one shell: what we hand to it. */
export interface ShellFiles {
  /** Absolute, as the shell sees it. */
  readonly folder: string
  /** Writes a file that only the shell's user can read. Calls are carried out in their order. */
  write(name: string, text: string): Promise<void>
  /** Removes one; nothing when it is not there. Never rejects. */
  remove(name: string): Promise<void>
  /** Removes all of it, once the shell has ended. */
  dispose(): Promise<void>
}

/** A folder of the machine, made for the shell alone. The files are small, and at once in place. */
export function createShellFiles(folder: string): ShellFiles {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return {
    folder,
    write: async (name, text) => writeFileSync(join(folder, name), text, { mode: 0o600 }),
    remove: async (name) => {
      try {
        unlinkSync(join(folder, name))
      } catch {
        // It is gone, then.
      }
    },
    dispose: () => rm(folder, { recursive: true, force: true }),
  }
}
