import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hasViews } from '../packages/machine/src/testing/has-views.ts'
import { startWorld, type World } from './world.ts'

let world: World
let folder = ''
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  folder = await world.folder()
  await writeFile(join(folder, 'kept'), 'kept')
})

const at = (name: string) => join(folder, name)

/** A tree with a little of everything. */
async function tree(): Promise<string> {
  const root = await world.folder()
  await mkdir(join(root, 'tree/inner/empty'), { recursive: true })
  await writeFile(join(root, 'tree/file'), 'one')
  await writeFile(join(root, 'tree/inner/large'), Buffer.alloc(3_000_000, 'abc'))
  await symlink('inner/large', join(root, 'tree/link'))
  return join(root, 'tree')
}

describe.runIf(hasViews)('the files of a session', () => {
  test('in a dry run are those that its commands see, and are on the disk once its effect is applied', async () => {
    const session = await world.handle.sessions.open({ shell: 'sh', cwd: folder, restrictions: { dryRun: true } })
    const { files } = session
    await files.write(at('new'), 'from the client\n')
    expect((await session.execute('cat new; echo from the shell >> new')).output).toContain('from the client')
    expect(Buffer.from((await files.read(at('new'))).data).toString()).toBe('from the client\nfrom the shell\n')
    await files.mkdir(at('made/inner'), { parents: true })
    await files.copy(at('new'), at('made/inner/copy'))
    await files.move(at('made/inner/copy'), at('made/moved'))
    await files.delete(at('kept'))
    expect((await files.list(folder)).entries.map(({ name }) => name)).toEqual(['made', 'new'])
    expect(await files.stat(at('made/moved'))).toMatchObject({ type: 'file', size: 31 })
    expect((await files.search(folder, { content: 'the shell' })).matches).toHaveLength(2)
    expect(await readdir(folder)).toEqual(['kept'])
    await expect(world.handle.files.stat(at('new'))).rejects.toMatchObject({ code: 'not_found' })
    const { list } = await session.effects()
    const changes = list?.effects.map(({ kind, path }) => `${kind} ${path}`)
    // All of them: what follows is done to this machine.
    expect(new Set(changes)).toEqual(
      new Set([
        `added ${at('new')}`,
        `added ${at('made')}`,
        `added ${at('made/inner')}`,
        `added ${at('made/moved')}`,
        `deleted ${at('kept')}`,
      ]),
    )
    await session.apply(list?.hash ?? '')
    expect((await readdir(folder)).toSorted()).toEqual(['made', 'new'])
    await expect(files.stat(folder)).rejects.toMatchObject({ code: expect.stringMatching(/session_ended|not_found/) })
  })

  test('take a tree from here, and give it back', async () => {
    const session = await world.handle.sessions.open({ shell: 'sh', cwd: folder, restrictions: { dryRun: true } })
    const sent = await session.files.upload(await tree(), at('tree'), { recursive: true })
    expect(sent).toMatchObject({ files: 2, directories: 3, links: 1, bytes: 3_000_003 })
    expect(await readdir(folder)).toEqual(['kept'])
    const back = join(await world.folder(), 'back')
    expect(await session.files.download(at('tree'), back, { recursive: true })).toMatchObject({ bytes: 3_000_003 })
    expect(await readdir(back, { recursive: true })).toHaveLength(5)
    expect(await readFile(join(back, 'link'), 'utf8')).toHaveLength(3_000_000)
    await session.discard()
  })

  test('without deletions, one that deletes is refused with what it would delete, and nothing is gone', async () => {
    const session = await world.handle.sessions.open({ kind: 'run', cwd: folder, restrictions: { noDelete: true } })
    const { files } = session
    const refusal = { code: 'restriction_violated', details: { paths: [at('kept')], effectId: expect.any(String) } }
    await expect(files.delete(at('kept'))).rejects.toMatchObject(refusal)
    await expect(files.write(at('kept'), '')).rejects.toMatchObject(refusal)
    expect(await readFile(at('kept'), 'utf8')).toBe('kept')
    expect(await files.write(at('new'), 'new')).toMatchObject({ size: 3, replaced: false })
    expect(await readFile(at('new'), 'utf8')).toBe('new')
    await session.close()
  })

  test('without deletions take a tree, each of its files as a transaction of its own', async () => {
    const session = await world.handle.sessions.open({ kind: 'run', cwd: folder, restrictions: { noDelete: true } })
    await session.files.upload(await tree(), at('tree'), { recursive: true })
    expect(await readFile(at('tree/link'), 'utf8')).toHaveLength(3_000_000)
    expect(await readdir(at('tree'), { recursive: true })).toHaveLength(5)
    await session.close()
  })

  test('in a read-only session are not changed', async () => {
    const session = await world.handle.sessions.open({ kind: 'run', cwd: folder, restrictions: { readOnly: true } })
    const refused = session.files.mkdir(`/etc/cmdop-test-${process.pid}`)
    await expect(refused).rejects.toMatchObject({ code: 'permission', details: { errno: 'EROFS' } })
    await session.close()
  })

  test('without restrictions are those of the machine', async () => {
    const session = await world.handle.sessions.open({ kind: 'run' })
    await session.files.write(at('new'), 'new')
    expect(await readFile(at('new'), 'utf8')).toBe('new')
    await session.close()
  })

  test('of somebody else, or of none, are not found', async () => {
    const { files } = world.handle
    await expect(files.inSession('no_such_session').stat('/')).rejects.toMatchObject({ code: 'not_found' })
  })
})
