import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Writes a file that is whole and on the disk when this resolves, or not there. `wx`: `EEXIST` where there is one. */
export async function writeDurably(file: string, content: string | Uint8Array, flag: 'w' | 'wx' = 'w'): Promise<void> {
  const written = flag === 'wx' ? file : `${file}.new`
  const handle = await open(written, flag, 0o600)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  if (written !== file) await rename(written, file)
  await syncFolder(dirname(file))
}

/** A new name is on the disk once its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
