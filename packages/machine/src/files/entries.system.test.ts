import { execFileSync } from 'node:child_process'
import { chmod, lstat, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startFileWorld } from '../testing/file-calls.ts'

// Only root can make a link of another user.
test.runIf(process.geteuid?.() === 0)(
  'a link in a directory that everybody writes to leads nowhere unless it is ours or the owner’s',
  async () => {
    await using world = await startFileWorld()
    const at = (name: string) => join(world.folder, name)
    await mkdir(at('shared'))
    await chmod(at('shared'), 0o1777)
    await writeFile(at('victim'), 'kept')
    execFileSync('/bin/sh', ['-c', 'ln -s ../victim "$0" && chown -h 12345:12345 "$0"', at('shared/trap')])
    const channel = world.open('file.write', { path: at('shared/trap') })
    await expect(channel.over).rejects.toMatchObject({ code: 'permission' })
    expect((await lstat(at('shared/trap'))).isSymbolicLink()).toBe(true)
    expect(await readFile(at('victim'), 'utf8')).toBe('kept')
  },
)
