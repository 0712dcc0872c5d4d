import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hasViews } from '../testing/has-views.ts'
import { Sandboxes } from './sandboxes.ts'

test.runIf(hasViews)('what is to be hidden is so also when it came after the first sandbox', async () => {
  const base = await mkdtemp(join(tmpdir(), 'cmdop-hidden-'))
  const [real, hidden] = [join(base, 'real'), join(base, 'hidden')]
  const sandboxes = new Sandboxes(join(base, 'state'), [hidden])
  const look = async (id: string) => {
    await using sandbox = await sandboxes.open({ dryRun: true }, { id, cwd: base })
    const shell = { file: 'sh', args: ['-c', `cat '${real}/secret' '${hidden}/secret' 2> /dev/null`], cwd: base }
    const { stdout, exit } = await sandbox.spawn({ ...shell, env: { PATH: '/usr/bin:/bin' }, stdin: false })
    const pieces: Buffer[] = []
    for await (const piece of stdout) pieces.push(piece)
    await exit
    return Buffer.concat(pieces).toString()
  }
  expect(await look('call_before')).toBe('')
  await mkdir(real)
  await writeFile(join(real, 'secret'), 'secret')
  await symlink(real, hidden)
  expect(await look('call_after')).toBe('')
  await sandboxes[Symbol.asyncDispose]()
  await rm(base, { recursive: true })
})
