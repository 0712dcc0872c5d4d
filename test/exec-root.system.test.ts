import { afterAll, beforeAll, expect, test } from 'vitest'
import { newMark, whenRunning, withMark } from './marked.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

test('runs as root', () => {
  expect(process.getuid?.(), 'These tests need root: sudo npm run test:system').toBe(0)
})

test('a command that changes its user is ended at its deadline', async () => {
  const mark = newMark()
  const changeUser = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
  const running = world.handle.exec(
    [...changeUser, '/bin/sh', '-c', 'id -u; trap "" TERM; setsid sleep 1000 & wait; wait'],
    {
      deadlineMs: 1000,
      env: { MARK: mark },
    },
  )
  const error = running.then(undefined, (caught) => caught)
  await whenRunning(mark, 2)
  expect(await error).toMatchObject({ code: 'deadline', result: { stdout: '65534\n' } })
  expect(await withMark(mark)).toEqual([])
})

test('a command that changes its user is ended by a cancel', async () => {
  const mark = newMark()
  const stop = new AbortController()
  const options = { signal: stop.signal, env: { MARK: mark } }
  const running = world.handle.exec(['setpriv', '--reuid=65534', 'sleep', '1000'], options)
  const error = running.then(undefined, (caught) => caught)
  await whenRunning(mark)
  stop.abort()
  expect(await error).toMatchObject({ code: 'cancelled', details: { confirmed: true } })
  expect(await withMark(mark)).toEqual([])
})
