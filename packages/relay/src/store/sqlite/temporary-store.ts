import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { StoreWorld } from '../conformance/world.ts'
import { type SqliteStore, openSqliteStore } from '../sqlite-store.ts'
import { writeEmptyDatabase } from './empty-database.ts'

/** A folder for a test's database, removed in the end. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly file: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'cmdop-store-'))
  return {
    file: join(folder, 'data', 'relay.db'),
    [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true, force: true }),
  }
}

/** An embedded store on a file of its own, for tests. */
export async function openTemporaryStore(): Promise<
  StoreWorld & { readonly store: SqliteStore; readonly file: string }
> {
  const folder = await temporaryFolder()
  const { file } = folder
  await mkdir(dirname(file), { mode: 0o700 })
  await writeEmptyDatabase(file)
  const opened = [await openSqliteStore({ file })]
  const [store] = opened as [SqliteStore]
  return {
    store,
    file,
    reopen: async () => {
      await opened.at(-1)?.close()
      const next = await openSqliteStore({ file })
      opened.push(next)
      return next
    },
    [Symbol.asyncDispose]: async () => {
      for (const each of opened) await each.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}
