import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkTransfersOverCuts, checkTreesThereAndBack } from './file-properties.ts'
import { startTcpProxy } from './tcp-proxy.ts'
import { startWorld } from './world.ts'

test('300 random trees go to the machine and come back as they were', async () => {
  await using world = await startWorld()
  await checkTreesThereAndBack(world.handle, await world.folder(), 300)
})

test('a file arrives whole wherever the way is cut, 300 times of 300', async () => {
  await using world = await startWorld()
  await using proxy = await startTcpProxy(world.relay.url)
  const handle = await world.connect({ baseUrl: proxy.url }).machine(world.machine.id)
  await checkTransfersOverCuts(handle, { proxy, base: await world.folder(), numRuns: 300 })
})

test('a file of 6 GB comes and goes in bounded memory', async () => {
  await using world = await startWorld({ separateProcesses: true })
  const folder = await world.folder()
  const size = 6 * 2 ** 30
  await using sparse = await open(join(folder, 'from'), 'w')
  await sparse.truncate(size)
  await sparse.write('end', size - 3)
  let bytes = 0
  for await (const piece of world.handle.files.readStream(join(folder, 'from'))) bytes += piece.length
  expect(bytes).toBe(size)
  await world.handle.files.upload(join(folder, 'from'), '/dev/shm/cmdop-full-test')
  expect(await world.handle.files.delete('/dev/shm/cmdop-full-test')).toBe(1)
  const status = await readFile(`/proc/${world.machine.pid}/status`, 'utf8')
  expect(Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1])).toBeLessThan(300_000)
})
