import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { embedded } from 'cmdop'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hasViews } from '../packages/machine/src/testing/has-views.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ machines: 0 })
})
afterAll(() => world[Symbol.asyncDispose]())

test.runIf(hasViews).each([{ dryRun: true }, { readOnly: true }])(
  'a command under %o sees neither the relay that is on the same machine nor the owner’s key',
  async (restrictions) => {
    const data = join(await world.folder(), 'state')
    await using local = await embedded({ data })
    expect((await readdir(data)).toSorted()).toEqual(['machine', 'owner-key', 'relay'])
    const command = `cat '${data}/owner-key' '${data}'/relay/*; find '${data}' -mindepth 1 | wc -l; echo more > '${data}/owner-key'`
    const { stdout } = await local.machine.exec(command, { restrictions })
    expect(stdout).toBe('0\n')
    expect((await local.machine.exec(`cat '${data}/owner-key'`)).stdout).not.toBe('')
  },
)
