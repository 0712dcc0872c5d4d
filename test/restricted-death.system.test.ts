import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hasViews } from '../packages/machine/src/testing/has-views.ts'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { startWorld, type World } from './world.ts'

let world: World
let folder = ''
let mark = ''
beforeAll(async () => {
  world = await startWorld({ separateProcesses: true })
  folder = await world.folder()
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  mark = newMark()
  writeFileSync(join(folder, 'kept'), 'kept')
  await world.whenOnline(world.machine)
})
afterEach(() => whenGone(mark))

const restart = async () => {
  await world.machine.restart()
  await world.whenOnline(world.machine)
}
const views = () => readdirSync(join(world.machine.dataDir, 'restricted', 'views'))

describe.runIf(hasViews)('a daemon that is killed', () => {
  test('in the middle of a command that may not delete leaves nothing of it, and says what it had done', async () => {
    const running = world.handle.exec('rm kept; touch made; echo begun; sleep 1000', {
      cwd: folder,
      env: { MARK: mark },
      restrictions: { noDelete: true },
    })
    const iterator = running[Symbol.asyncIterator]()
    await iterator.next()
    await whenRunning(mark, 2)
    await world.machine.kill()
    const next = iterator.next().then(undefined, (caught: unknown) => caught)
    await whenGone(mark)
    await restart()
    expect(await next).toMatchObject({ code: 'lost' })
    expect(readdirSync(folder)).toEqual(['kept'])
    const [effect] = await world.handle.effects.list()
    expect(effect).toMatchObject({ state: 'pending', refusal: { code: 'cancelled' }, counts: { added: 1, deleted: 1 } })
    await world.handle.effects.discard(effect?.effectId ?? '')
    await expect.poll(views).toEqual([])
  })

  test('under a session keeps its effect, which can be applied and taken back later', async () => {
    const session = await world.handle.sessions.open({ shell: 'sh', cwd: folder, restrictions: { dryRun: true } })
    await session.execute('rm kept; echo new > made')
    await world.machine.kill()
    await restart()
    const { info, list } = await world.handle.effects.get(session.id)
    expect(info).toMatchObject({ state: 'pending', kind: 'session', counts: { added: 1, deleted: 1 } })
    expect(existsSync(join(folder, 'kept'))).toBe(true)
    await restart()
    await world.handle.effects.apply(session.id, list?.hash ?? '')
    expect(readdirSync(folder)).toEqual(['made'])
    await restart()
    expect(await world.handle.effects.undo(session.id)).toMatchObject({ state: 'undone' })
    expect(readFileSync(join(folder, 'kept'), 'utf8')).toBe('kept')
    expect(existsSync(join(folder, 'made'))).toBe(false)
  })

  test('forgets what changed nothing, and a daemon that is stopped keeps what did', async () => {
    const idle = await world.handle.sessions.open({ kind: 'run', cwd: folder, restrictions: { dryRun: true } })
    const busy = await world.handle.sessions.open({ kind: 'run', cwd: folder, restrictions: { dryRun: true } })
    await world.handle.exec('touch made', { cwd: folder, showIn: busy.id })
    await world.machine.close()
    await restart()
    await expect(world.handle.effects.get(idle.id)).rejects.toMatchObject({ code: 'not_found' })
    expect((await world.handle.effects.get(busy.id)).info).toMatchObject({ state: 'pending', counts: { added: 1 } })
    expect(views()).toEqual([busy.id])
    await world.handle.effects.discard(busy.id)
  })
})
