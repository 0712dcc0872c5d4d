import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type BlobsWorld, describeBlobs } from './blobs-conformance.ts'
import { FileBlobs } from './file-blobs.ts'

describeBlobs('blobs in files', openTemporary)

test('only the relay may read the files', async () => {
  await using world = await openTemporary()
  await world.blobs.append('rec_secret-ab', 0, Buffer.from('x'))
  expect((await stat(join(world.folder, 'ab', 'rec_secret-ab'))).mode & 0o777).toBe(0o600)
  expect((await stat(world.folder)).mode & 0o777).toBe(0o700)
})

test('a folder that cannot be written is `unavailable`', async () => {
  await using world = await openTemporary()
  await rm(world.folder, { recursive: true })
  const { blobs } = world
  await writeFile(world.folder, 'a file')
  await expect(blobs.append('rec_12345678', 0, Buffer.from('x'))).rejects.toMatchObject({ code: 'unavailable' })
})

async function openTemporary(): Promise<BlobsWorld & { folder: string }> {
  const parent = await mkdtemp(join(tmpdir(), 'cmdop-blobs-'))
  const folder = join(parent, 'recordings')
  return {
    folder,
    blobs: new FileBlobs(folder),
    reopen: () => new FileBlobs(folder),
    [Symbol.asyncDispose]: () => rm(parent, { recursive: true, force: true }),
  }
}
