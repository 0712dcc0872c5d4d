import { expect, test } from 'vitest'
import { checkTransfersOverCuts, checkTreesThereAndBack } from './file-properties.ts'
import { startTcpProxy } from './tcp-proxy.ts'
import { startWorld } from './world.ts'

test('any tree goes to the machine and comes back as it was', async () => {
  await using world = await startWorld()
  await checkTreesThereAndBack(world.handle, await world.folder(), 5)
})

test('a file arrives whole wherever the way is cut', async () => {
  await using world = await startWorld()
  await using proxy = await startTcpProxy(world.relay.url)
  const handle = await world.connect({ baseUrl: proxy.url }).machine(world.machine.id)
  await checkTransfersOverCuts(handle, { proxy, base: await world.folder(), numRuns: 5 })
  expect(await handle.files.list(await world.folder())).toEqual({ entries: [] })
})
