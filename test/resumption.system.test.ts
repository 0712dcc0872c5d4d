import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RemoteMachine } from '@cmdop/core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { newMark, whenGone, whenRunning, withMark } from './marked.ts'
import { startChild } from './processes/child.ts'
import { checkInputOverCuts, checkOutputOverCuts } from './resumption-properties.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'
import { rawChannels } from './unresolved.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
let proxy: TcpProxy
let handle: RemoteMachine
let mark = ''
beforeAll(async () => {
  world = await startWorld()
  proxy = await startTcpProxy(world.relay.url)
  handle = await world.connect({ baseUrl: proxy.url }).machine(world.machine.id)
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await proxy[Symbol.asyncDispose]()
})
beforeEach(() => {
  mark = newMark()
})
afterEach(async () => {
  proxy.mend()
  await whenGone(mark)
})

describe('a client whose connection is cut', () => {
  test('gets all output once and in order', () => checkOutputOverCuts(handle, proxy, 8))

  test('gives all input once and in order', () => checkInputOverCuts(handle, proxy, 6))

  test('while it is away for less than `orphanMs`, finds the command where it is', async () => {
    const folder = await world.folder()
    const script = 'echo begun; while [ ! -e go ]; do sleep 0.02; done; echo went on'
    const running = handle.exec(script, { cwd: folder, env: { MARK: mark } })
    const iterator = running[Symbol.asyncIterator]()
    expect(text(await iterator.next())).toBe('begun\n')
    proxy.break()
    await world.handle.exec(['touch', 'go'], { cwd: folder })
    await whenGone(mark)
    proxy.mend()
    expect(text(await iterator.next())).toBe('went on\n')
    expect((await iterator.next()).done).toBe(true)
    expect(await running.exit).toMatchObject({ exitCode: 0 })
  })

  test('before the machine has accepted the command, has it run once', async () => {
    const folder = await world.folder()
    for (let round = 0; round < 15; round += 1) {
      const running = handle.exec(`echo ${round} >> ran; echo ${round}`, { cwd: folder })
      for (let turn = 0; turn < round; turn += 1) await new Promise(setImmediate)
      proxy.cut()
      const outcome = await running.then(
        ({ stdout }) => stdout,
        (error) => error.code,
      )
      // Either it had not begun to be sent, or it comes to its end.
      expect([`${round}\n`, 'connection']).toContain(outcome)
    }
    const lines = (await readFile(join(folder, 'ran'), 'utf8')).trim().split('\n')
    expect(new Set(lines).size).toBe(lines.length)
  })

  test('for longer than `orphanMs`, loses the command, which is ended', async () => {
    const running = handle.exec('echo begun; sleep 1000', { orphanMs: 300, env: { MARK: mark } })
    const iterator = running[Symbol.asyncIterator]()
    await iterator.next()
    proxy.break()
    await whenGone(mark, 3000)
    await expect(iterator.next()).rejects.toMatchObject({ code: 'connection' })
  })

  test('with an `orphanMs` of 0, loses the command at once', async () => {
    const running = handle.exec('sleep 1000', { orphanMs: 0, env: { MARK: mark }, stdin: 'all of it' })
    const error = running.then(undefined, (caught) => caught)
    await whenRunning(mark)
    proxy.break()
    await whenGone(mark, 2000)
    expect(await error).toMatchObject({ code: 'connection' })
  })

  test('and that comes back too late, is told that the command is lost', async () => {
    const running = handle.exec('echo begun; sleep 1000', { orphanMs: 200, env: { MARK: mark } })
    const iterator = running[Symbol.asyncIterator]()
    await iterator.next()
    proxy.cut()
    proxy.break()
    const next = iterator.next().then(undefined, (caught) => caught)
    await whenGone(mark)
    proxy.mend()
    expect(await next).toMatchObject({ code: expect.stringMatching(/^(lost|connection|cancelled)$/) })
  })

  test('can cancel the command when it is back', async () => {
    const stop = new AbortController()
    const running = handle.exec('sleep 1000', { env: { MARK: mark }, signal: stop.signal })
    const error = running.then(undefined, (caught) => caught)
    await whenRunning(mark)
    proxy.break()
    stop.abort()
    proxy.mend()
    expect(await error).toMatchObject({ code: 'cancelled', details: { confirmed: true } })
    expect(await withMark(mark)).toEqual([])
  })
})

test('the command of a client that was killed goes on for `orphanMs`, and is then ended', async () => {
  const { url: baseUrl, firstKey: token } = world.relay
  const options = { orphanMs: 1000, env: { MARK: mark }, stdin: 'all of it' }
  const command = 'while :; do echo line; sleep 0.1; done'
  const client = await startChild('./client-process.ts', {
    baseUrl,
    token,
    machineId: world.machine.id,
    command,
    options,
  })
  await client.end('SIGKILL')
  const killedAt = performance.now()
  expect(await withMark(mark)).not.toEqual([])
  await whenGone(mark)
  expect(performance.now() - killedAt).toBeGreaterThan(800)
})

describe('a machine whose connection is cut', () => {
  test('keeps the command for the client', async () => {
    await using machineProxy = await startTcpProxy(world.relay.url)
    const machine = await world.addMachine('behind-a-proxy', machineProxy.url)
    const other = await world.client.machine(machine.id)
    let output = ''
    let isCut = false
    for await (const { data } of other.exec('for i in $(seq 1 200); do echo $i; sleep 0.005; done')) {
      output += Buffer.from(data).toString()
      if (!isCut && output.includes('50\n')) machineProxy.cut()
      isCut ||= output.includes('50\n')
    }
    expect(output).toBe(Array.from({ length: 200 }, (_, index) => `${index + 1}\n`).join(''))
    await machine.close()
  })
})

describe('a call id', () => {
  const call = (folder: string, callId: string) => ({
    method: 'exec' as const,
    target: world.machine.id,
    params: { command: 'echo x >> ran', cwd: folder },
    callId,
  })

  test('runs once, however often and however fast it is sent', async () => {
    const folder = await world.folder()
    const channels = rawChannels(world)
    const sent = Array.from({ length: 10 }, () => channels.open(call(folder, 'call_the_same_one')))
    const results = await Promise.allSettled(sent)
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'conflict' })
    }
    await waitFor('it ran', () => readFile(join(folder, 'ran'), 'utf8').catch(() => undefined))
    await expect(channels.open(call(folder, 'call_the_same_one'))).rejects.toMatchObject({ code: 'conflict' })
    expect(await readFile(join(folder, 'ran'), 'utf8')).toBe('x\n')
    await channels.close()
  })

  test('is not one for another principal', async () => {
    const { rawToken: token } = await world.client.keys.issue({ name: 'other', role: 'member' })
    const running = handle.exec('sleep 1000', { env: { MARK: mark } })
    await whenRunning(mark)
    const channels = rawChannels(world, { token })
    const attach = { method: 'exec.attach' as const, target: world.machine.id, params: { offset: 0 } }
    await expect(channels.open({ ...attach, callId: running.callId })).rejects.toMatchObject({ code: 'not_found' })
    await channels.close()
    await running[Symbol.asyncDispose]()
  })
})

function text(next: IteratorResult<{ data: Uint8Array }>): string {
  return next.done === true ? '' : Buffer.from(next.value.data).toString()
}
