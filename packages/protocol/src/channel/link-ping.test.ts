import { expect, test } from 'vitest'
import { CmdopError } from '../errors.ts'
import { encodeFrame, encodeJson, frameTypes } from './frame.ts'
import { Link } from './link.ts'
import { createMemoryTransports } from './memory-transport.ts'
import { turn } from './testing/pairs.ts'
import { RawPeer } from './testing/raw-peer.ts'

/** A link whose other side answers nothing by itself. */
async function startOpenLink() {
  const [left, right] = createMemoryTransports()
  const link = new Link(right, { hello: () => {}, frame: () => {}, closed: () => {} })
  const peer = new RawPeer(left)
  peer.send(encodeJson(frameTypes.hello, 0, { version: 1 }))
  await turn()
  return { link, peer }
}

test('a ping is answered by its own pong, not by one that came late', async () => {
  const { link, peer } = await startOpenLink()
  const first = link.ping()
  peer.send(encodeFrame(frameTypes.pong, 0, new Uint8Array([0, 0, 0, 9])))
  peer.send(encodeFrame(frameTypes.pong, 0, new Uint8Array(0)))
  await turn()
  expect(await Promise.race([first, Promise.resolve('no answer yet')])).toBe('no answer yet')
  peer.send(encodeFrame(frameTypes.pong, 0, new Uint8Array([0, 0, 0, 1])))
  expect(await first).toBe(true)
})

test('a ping of a link that ends, or has ended, is answered with false', async () => {
  const { link } = await startOpenLink()
  const asked = link.ping()
  link.close(new CmdopError('connection', 'Over.'))
  expect(await asked).toBe(false)
  expect(await link.ping()).toBe(false)
})
