import { setTimeout as sleep } from 'node:timers/promises'
import { ExecError } from '@cmdop/core'
import { KILL_GRACE_MS } from '@cmdop/protocol'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { newMark, whenGone, whenRunning, withMark } from './marked.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
let mark = ''
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(() => {
  mark = newMark()
})
afterEach(() => whenGone(mark))

const exec: World['handle']['exec'] = (command, options) =>
  world.handle.exec(command, { ...options, env: { MARK: mark, ...options?.env } })

describe('a deadline', () => {
  test('ends a command and tells what it had put out until then', async () => {
    const error = await exec('echo before; exec sleep 1000', { deadlineMs: 300 }).then(undefined, (caught) => caught)
    expect(error).toBeInstanceOf(ExecError)
    expect(error).toMatchObject({
      code: 'deadline',
      retryable: false,
      message: 'The command did not end within 300 ms and was stopped.',
      result: { stdout: 'before\n', signal: 'SIGTERM', exitCode: null },
    })
  })

  test('ends the whole process group', async () => {
    const running = exec('sleep 1000 & (sleep 1000; true) | cat & sleep 1000', { deadlineMs: 400 })
    await whenRunning(mark, 5)
    await expect(running).rejects.toMatchObject({ code: 'deadline' })
    expect(await withMark(mark)).toEqual([])
  })

  test('ends what ignores SIGTERM, by SIGKILL after the grace', async () => {
    const startedAt = performance.now()
    const stubborn = `trap '' TERM; while :; do sleep 0.05; done`
    await expect(exec(stubborn, { deadlineMs: 200 })).rejects.toMatchObject({
      code: 'deadline',
      details: { signal: 'SIGKILL' },
    })
    expect(await withMark(mark)).toEqual([])
    const tookMs = performance.now() - startedAt
    expect(tookMs).toBeGreaterThan(KILL_GRACE_MS)
    expect(tookMs).toBeLessThan(KILL_GRACE_MS + 20_000)
  })

  test('ends what moved to a session of its own', async () => {
    const running = exec('setsid sleep 1000 & setsid sh -c "trap \'\' TERM; sleep 1000; true" >/dev/null 2>&1 & wait', {
      deadlineMs: 500,
    })
    await whenRunning(mark, 4)
    await expect(running).rejects.toMatchObject({ code: 'deadline' })
    expect(await withMark(mark)).toEqual([])
  })

  test('ends a stopped command', async () => {
    await expect(exec('kill -STOP $$; sleep 1000', { deadlineMs: 300 })).rejects.toMatchObject({ code: 'deadline' })
  })

  test('does not touch a command that ends in time', async () => {
    expect(await exec('echo in time', { deadlineMs: 20_000 })).toMatchObject({ stdout: 'in time\n' })
  })

  test('holds also for an iteration', async () => {
    const execution = exec('echo first; sleep 1000', { deadlineMs: 300 })
    const chunks: string[] = []
    const read = async () => {
      for await (const { data } of execution) chunks.push(Buffer.from(data).toString())
    }
    await expect(read()).rejects.toMatchObject({ code: 'deadline' })
    await expect(execution.exit).rejects.toMatchObject({ code: 'deadline' })
    expect(chunks).toEqual(['first\n'])
  })
})

describe('a cancel', () => {
  test('by signal ends the command, and says that it is gone', async () => {
    const stop = new AbortController()
    const running = exec('echo begun; sleep 1000 & sleep 1000', { signal: stop.signal })
    const error = running.then(undefined, (caught) => caught)
    await whenRunning(mark, 3)
    stop.abort()
    expect(await error).toMatchObject({
      code: 'cancelled',
      details: { confirmed: true },
      result: { stdout: 'begun\n', signal: 'SIGTERM' },
    })
    expect(await withMark(mark)).toEqual([])
  })

  test('by a signal that was aborted before runs nothing', async () => {
    const folder = await world.folder()
    const signal = AbortSignal.abort()
    for (let round = 0; round < 20; round += 1) {
      await expect(exec('touch ran', { cwd: folder, signal })).rejects.toMatchObject({ code: 'cancelled' })
    }
    expect(await exec(['ls', folder])).toMatchObject({ stdout: '' })
  })

  test('at any moment of the start leaves nothing running', async () => {
    for (let round = 0; round < 40; round += 1) {
      const stop = new AbortController()
      const running = exec('sleep 1000', { signal: stop.signal }).then(undefined, (caught) => caught)
      if (round % 4 > 0) await sleep(round / 4)
      stop.abort()
      expect(await running).toMatchObject({ code: 'cancelled' })
    }
    await whenGone(mark)
  })

  test('of a command that does not read its stdin is not held up by that', async () => {
    const stop = new AbortController()
    const options = { signal: stop.signal, stdin: Buffer.alloc(8 * 1024 * 1024) }
    const error = exec('sleep 1000', options).then(undefined, (caught) => caught)
    await whenRunning(mark)
    const startedAt = performance.now()
    stop.abort()
    expect(await error).toMatchObject({ code: 'cancelled', details: { confirmed: true } })
    expect(performance.now() - startedAt).toBeLessThan(2000)
  })

  test('after the end changes nothing', async () => {
    const stop = new AbortController()
    const execution = exec('echo done', { signal: stop.signal })
    expect(await execution).toMatchObject({ stdout: 'done\n' })
    stop.abort()
    expect(await execution.exit).toMatchObject({ exitCode: 0 })
  })

  test('of a command that ignores SIGTERM is told once that is gone', async () => {
    const stop = new AbortController()
    const running = exec(`trap '' TERM; echo ready; while :; do sleep 0.05; done`, { signal: stop.signal })
    const error = running.then(undefined, (caught) => caught)
    await whenRunning(mark, 2)
    stop.abort()
    expect(await error).toMatchObject({ code: 'cancelled', details: { signal: 'SIGKILL', confirmed: true } })
    expect(await withMark(mark)).toEqual([])
  })
})

describe('leaving', () => {
  test('an iteration early ends the command', async () => {
    const execution = exec('while :; do echo line; done')
    for await (const _ of execution) break
    expect(await withMark(mark)).toEqual([])
    await expect(execution.exit).rejects.toMatchObject({ code: 'cancelled' })
  })

  test('an iteration by an error ends the command', async () => {
    const read = async () => {
      for await (const _ of exec('echo line; sleep 1000')) throw new Error('enough')
    }
    await expect(read()).rejects.toThrow('enough')
    expect(await withMark(mark)).toEqual([])
  })

  test('the scope of an execution ends the command', async () => {
    {
      await using execution = exec('sleep 1000')
      await whenRunning(mark)
      expect(execution.callId).toMatch(/^call_/)
    }
    expect(await withMark(mark)).toEqual([])
  })

  test('the scope of an execution that is being read ends the command', async () => {
    {
      await using execution = exec('while :; do echo line; done')
      await execution[Symbol.asyncIterator]().next()
    }
    expect(await withMark(mark)).toEqual([])
    {
      await using execution = exec('while :; do echo line; done')
      execution[Symbol.asyncIterator]()
    }
    expect(await withMark(mark)).toEqual([])
  })

  test('the scope of a client ends its commands', async () => {
    const client = world.connect()
    const handle = await client.machine(world.machine.id)
    const running = handle.exec('sleep 1000', { env: { MARK: mark } }).then(undefined, (caught) => caught)
    const reading = handle.exec('cat; sleep 1000', { env: { MARK: mark }, stdin: 'all of it' })
    const read = reading.then(undefined, (caught) => caught)
    await whenRunning(mark, 3)
    await client.close()
    expect(await running).toMatchObject({ code: 'cancelled' })
    expect(await read).toMatchObject({ code: 'cancelled' })
    await whenGone(mark)
    await expect(client.me().then(() => handle.exec('true'))).rejects.toMatchObject({ code: 'cancelled' })
  })
})

test('a process that cleared its environment does not hold up the end of the command', async () => {
  const folder = await world.folder()
  // It keeps the pipes open, and has no marker and no group by which it could be found.
  const script = 'env -i setsid sh -c "echo \\$\\$ > pid; exec sleep 1000" & wait'
  const startedAt = performance.now()
  await expect(exec(script, { cwd: folder, deadlineMs: 500 })).rejects.toMatchObject({ code: 'deadline' })
  expect(performance.now() - startedAt).toBeLessThan(KILL_GRACE_MS + 4000)
  const { stdout } = await exec('cat pid', { cwd: folder })
  process.kill(Number(stdout))
})

test('closing the daemon ends its commands', async () => {
  await using other = await startWorld()
  const running = other.handle.exec('sleep 1000', { env: { MARK: mark }, orphanMs: 100 })
  const error = running.then(undefined, (caught) => caught)
  await whenRunning(mark)
  await other.machine.close()
  expect(await withMark(mark)).toEqual([])
  expect(await error).toMatchObject({ code: 'lost' })
})

test('closing the daemon while commands start leaves none behind', async () => {
  await using other = await startWorld()
  await other.handle.exec('true')
  const options = { env: { MARK: mark }, orphanMs: 100 }
  const running = Array.from({ length: 30 }, () => other.handle.exec('sleep 1000', options).then(undefined, () => {}))
  await whenRunning(mark)
  await other.machine.close()
  expect(await withMark(mark)).toEqual([])
  await Promise.all(running)
})

test('a slow reader slows the writer down', async () => {
  const folder = await world.folder()
  const script = 'i=0; while [ $i -lt 400 ]; do head -c 65536 /dev/zero; i=$((i+1)); echo $i > count; done'
  const execution = exec(script, { cwd: folder })
  const iterator = execution[Symbol.asyncIterator]()
  let bytes = (await iterator.next()).value?.data.length ?? 0
  const stalled = await whenStalled(async () => Number((await exec('cat count', { cwd: folder })).stdout))
  // Window of the channel, read-ahead of the daemon, two pipes, and what was read.
  expect(stalled * 65_536).toBeLessThan(1024 * 1024)
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next())
    bytes += next.value.data.length
  expect(bytes).toBe(400 * 65_536)
})

/** The number once it is the same at ten looks in a row. */
async function whenStalled(look: () => Promise<number>): Promise<number> {
  let last = -1
  let same = 0
  await waitFor('the writer stands still', async () => {
    const now = await look()
    same = now === last ? same + 1 : 0
    last = now
    return same >= 10
  })
  return last
}
