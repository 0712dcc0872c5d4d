import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startMachine } from '@cmdop/machine'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { newMark, whenGone, whenRunning, withMark } from './marked.ts'
import { startWorld, type World } from './world.ts'

let world: World
let mark = ''
beforeAll(async () => {
  world = await startWorld({ separateProcesses: true })
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  mark = newMark()
  await world.whenOnline(world.machine)
})
afterEach(() => whenGone(mark))

describe('a daemon that is killed', () => {
  test('during a command leaves nothing once it is there again, and the client is told `lost`', async () => {
    const options = { env: { MARK: mark } }
    const script = `setsid sleep 1000 & trap '' TERM; echo begun; while :; do sleep 0.05; done`
    const iterator = world.handle.exec(script, options)[Symbol.asyncIterator]()
    await iterator.next()
    await whenRunning(mark, 3)
    await world.machine.kill()
    expect((await withMark(mark)).length).toBeGreaterThan(0)
    const next = iterator.next().then(undefined, (caught) => caught)
    await world.machine.restart()
    expect(await withMark(mark)).toEqual([])
    expect(await next).toMatchObject({ code: 'lost', retryable: false })
    await world.whenOnline(world.machine)
    expect(await world.handle.exec('echo works')).toMatchObject({ stdout: 'works\n' })
  })

  test('leaves a service that an ended command started on purpose, also after it is there again', async () => {
    await world.handle.exec('nohup sleep 1000 >/dev/null 2>&1 &', { env: { MARK: mark } })
    const [pid = 0] = await whenRunning(mark)
    await world.machine.kill()
    await world.machine.restart()
    await world.whenOnline(world.machine)
    expect(await withMark(mark)).toEqual([pid])
    process.kill(pid)
  })

  test('and stays away, is a coded error after `orphanMs`', async () => {
    const handle = await world.connect({ timeoutMs: 500 }).machine(world.machine.id)
    const running = handle.exec('echo begun; sleep 1000', { orphanMs: 200, env: { MARK: mark } })
    const iterator = running[Symbol.asyncIterator]()
    await iterator.next()
    await world.machine.kill()
    await expect(iterator.next()).rejects.toMatchObject({ code: 'connection' })
    await world.machine.restart()
    await world.whenOnline(world.machine)
  })

  test('does not keep its folder locked', async () => {
    await world.machine.kill()
    const dataDir = world.machine.dataDir
    await writeFile(join(dataDir, 'daemon.lock'), `${process.pid} 1`)
    await world.machine.restart()
    await world.whenOnline(world.machine)
  })
})

test('a second daemon on the folder of a running one is refused with `conflict`', async () => {
  const { dataDir, pid } = world.machine
  await expect(startMachine({ dataDir, logLevel: 'silent' })).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining(String(pid)),
  })
  expect(await world.handle.exec('echo unharmed')).toMatchObject({ stdout: 'unharmed\n' })
})

describe('a daemon that is stopped', () => {
  test('is `timeout` within `timeoutMs`, and runs nothing of it later', async () => {
    const handle = await world.connect({ timeoutMs: 400 }).machine(world.machine.id)
    world.machine.signal('SIGSTOP')
    const startedAt = performance.now()
    await expect(handle.exec('sleep 1000', { env: { MARK: mark } })).rejects.toMatchObject({ code: 'timeout' })
    await expect(handle.facts()).rejects.toMatchObject({ code: 'timeout', retryable: true })
    expect(performance.now() - startedAt).toBeLessThan(2000)
    world.machine.signal('SIGCONT')
    expect(await world.handle.exec('echo went on')).toMatchObject({ stdout: 'went on\n' })
    await whenGone(mark, 4000)
  })

  test('does not hold up the relay when that is closed', async () => {
    world.machine.signal('SIGSTOP')
    const startedAt = performance.now()
    await world.relay.close()
    expect(performance.now() - startedAt).toBeLessThan(6000)
    world.machine.signal('SIGCONT')
    await world.relay.restart()
    await world.whenOnline(world.machine)
  })
})
