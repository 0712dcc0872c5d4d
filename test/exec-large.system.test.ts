import { afterAll, beforeAll, expect, test } from 'vitest'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { startWorld, type World } from './world.ts'

const MEGABYTE = 1024 * 1024
const SIZE = 200 * MEGABYTE

let world: World
beforeAll(async () => {
  world = await startWorld({ separateProcesses: true })
})
afterAll(() => world[Symbol.asyncDispose]())

test('200 MB of output are awaited in bounded memory', async () => {
  // Warm first: what the runtime sets aside for buffers that come and go is not the matter here.
  await world.handle.exec(`head -c ${SIZE / 4} /dev/zero`)
  const before = process.memoryUsage.rss()
  let peak = before
  const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 20)
  const result = await world.handle.exec(`head -c ${SIZE} /dev/zero`)
  clearInterval(timer)
  expect(result).toMatchObject({ exitCode: 0, stdoutBytes: SIZE, stdoutTruncated: true })
  expect(result.stdoutData).toHaveLength(MEGABYTE)
  expect(peak - before).toBeLessThan(120 * MEGABYTE)
})

test('200 MB of output are iterated whole, and nobody on the way keeps them', async () => {
  const before = [world.relay.pid, world.machine.pid].map(residentBytes)
  let bytes = 0
  // Every byte says where it is, as far as one byte can.
  for await (const { data, offset } of world.handle.exec(`yes 0123456789abcde | head -c ${SIZE}`)) {
    expect(offset).toBe(bytes)
    expect(data[0]).toBe(`0123456789abcde\n`.charCodeAt(offset % 16))
    bytes += data.length
  }
  expect(bytes).toBe(SIZE)
  const grown = [world.relay.pid, world.machine.pid].map((pid, index) =>
    residentBytes(pid).then(async (now) => now - (await before[index]!)),
  )
  for (const growth of await Promise.all(grown)) expect(growth).toBeLessThan(100 * MEGABYTE)
})

test('output that nobody reads any more stops with the client', async () => {
  const mark = newMark()
  const client = world.connect()
  const handle = await client.machine(world.machine.id)
  const iterator = handle.exec(['yes', mark])[Symbol.asyncIterator]()
  await iterator.next()
  await whenRunning(mark)
  await client.close()
  await whenGone(mark)
})

async function residentBytes(pid: number): Promise<number> {
  const { data } = await world.handle.files.read(`/proc/${pid}/statm`)
  return Number(Buffer.from(data).toString().split(' ')[1]) * 4096
}
