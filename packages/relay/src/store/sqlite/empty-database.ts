import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteStore } from '../sqlite-store.ts'

let content: Promise<Buffer> | undefined

/** Writes a database of the newest schema with nothing in it, for tests: making one costs more than most of what they do with it. */
export async function writeEmptyDatabase(file: string): Promise<void> {
  content ??= madeOnce()
  await writeFile(file, await content, { mode: 0o600 })
}

async function madeOnce(): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'cmdop-empty-'))
  const file = join(folder, 'empty.sqlite')
  try {
    await (await openSqliteStore({ file })).close()
    return await readFile(file)
  } finally {
    await rm(folder, { recursive: true })
  }
}
