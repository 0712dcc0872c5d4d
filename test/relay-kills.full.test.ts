import { expect, test } from 'vitest'
import { killRelayDuringExecs } from './relay-kills.ts'
import { checkInputOverCuts, checkOutputOverCuts } from './resumption-properties.ts'
import { startTcpProxy } from './tcp-proxy.ts'
import { startWorld } from './world.ts'

const ROUNDS = 25

test(`${ROUNDS} kills of the relay, each during 200 commands, lose no acknowledged row`, async () => {
  await using world = await startWorld({ separateProcesses: true })
  for (let round = 0; round < ROUNDS; round += 1) await killRelayDuringExecs(world, { execs: 200 })
  expect(await world.handle.exec('echo still')).toMatchObject({ stdout: 'still\n' })
})

test('300 runs of output and 300 of input over connections that are cut up to four times lose no byte', async () => {
  await using world = await startWorld()
  await using proxy = await startTcpProxy(world.relay.url)
  const handle = await world.connect({ baseUrl: proxy.url }).machine(world.machine.id)
  await checkOutputOverCuts(handle, proxy, 300)
  await checkInputOverCuts(handle, proxy, 300)
})
