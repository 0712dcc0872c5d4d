import { randomBytes } from 'node:crypto'
import type { Attachment, Session } from '@cmdop/core'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'
import { waitFor } from './wait-for.ts'
import { watch } from './watch.ts'
import { startWorld, type World } from './world.ts'

const LINES = 50_000
/** Where the way is cut, in bytes of output that were read by then. */
const cuts = fc.uniqueArray(fc.integer({ min: 0, max: 300_000 }), { minLength: 1, maxLength: 4 })

/** A session over a way that can be cut, and the same one over a way that cannot. */
async function openOverProxy(world: World, proxy: TcpProxy): Promise<{ near: Session; safe: Session }> {
  const safe = await world.handle.sessions.open({ shell: 'sh', env: { PS1: '' } })
  await using attachment = await safe.attach()
  await attachment.write('stty -echo; PS1=; echo read""y\n')
  await watch(attachment).until('ready\r\n')
  const machine = await world.connect({ baseUrl: proxy.url }).machine(world.machine.id)
  return { near: await machine.sessions.get(safe.id), safe }
}

test('what an operator reads is whole, wherever its connection is cut', async () => {
  await using world = await startWorld()
  await using proxy = await startTcpProxy(world.relay.url)
  const { near } = await openOverProxy(world, proxy)
  const whole = Array.from({ length: LINES }, (_, index) => `${index + 1}\r\n`).join('')
  await fc.assert(
    fc.asyncProperty(cuts, async (points) => {
      const { outputBytes: offset } = await near.info()
      await using attachment = await near.attach({ offset })
      await attachment.write(`seq 1 ${LINES}\n`)
      const output = await readCutting(attachment, { proxy, points, bytes: whole.length })
      expect(output.length).toBe(whole.length)
      expect(output.toString() === whole).toBe(true)
    }),
    { numRuns: 4, endOnFailure: true },
  )
})

interface Cuts {
  readonly proxy: TcpProxy
  readonly points: readonly number[]
  readonly bytes: number
}

async function readCutting(attachment: Attachment, { proxy, points, bytes }: Cuts): Promise<Buffer> {
  const left = points.toSorted((one, other) => one - other)
  const pieces: Uint8Array[] = []
  let count = 0
  let next: number | undefined
  for await (const event of attachment) {
    expect(event.type).not.toBe('snapshot')
    if (event.type !== 'output') continue
    expect(event.offset).toBe(next ?? event.offset)
    next = event.offset + event.data.length
    pieces.push(event.data)
    count += event.data.length
    while (left[0] !== undefined && left[0] < count) {
      left.shift()
      proxy.cut()
    }
    if (count >= bytes) break
  }
  return Buffer.concat(pieces)
}

test('what an operator types arrives once and in order, wherever its connection is cut', async () => {
  await using world = await startWorld()
  await using proxy = await startTcpProxy(world.relay.url)
  const { near, safe } = await openOverProxy(world, proxy)
  await using reader = await safe.observe()
  await using attachment = await near.attach()
  const seen = watch(reader)
  const words = Array.from({ length: 60 }, () => randomBytes(20).toString('hex'))
  for (const [index, word] of words.entries()) {
    const writing = attachment.write(`echo ${word}\n`)
    if (index % 7 === 3) proxy.cut()
    await writing
  }
  await attachment.write('echo do""ne\n')
  await seen.until('done\r\n')
  expect(
    seen.output
      .toString()
      .split('\r\n')
      .filter((line) => /^[0-9a-f]{40}$/.test(line)),
  ).toEqual(words)
})

test('the lease and the place are kept while the connection is away, and it is told', async () => {
  await using world = await startWorld()
  await using proxy = await startTcpProxy(world.relay.url)
  const { near, safe } = await openOverProxy(world, proxy)
  await using attachment = await near.attach()
  const seen = watch(attachment)
  proxy.cut()
  expect(await seen.next('connection')).toMatchObject({ state: expect.stringMatching(/lost|resumed/) as string })
  await attachment.write('echo he""re\n')
  await seen.until('here\r\n')
  expect(attachment.holdsLease).toBe(true)
  expect(await safe.info()).toMatchObject({ operators: 1, lease: { participantId: attachment.participantId } })
})

test('input is not sent again to a machine that knows the participant no longer', async () => {
  await using world = await startWorld()
  await using proxy = await startTcpProxy(world.relay.url)
  const { near, safe } = await openOverProxy(world, proxy)
  await using attachment = await near.attach({ orphanMs: 0 })
  const seen = watch(attachment)
  await attachment.write('echo on""ce\n')
  await seen.until('once\r\n')
  proxy.break()
  await waitFor('the machine has forgotten the participant', async () => (await safe.info()).operators === 0)
  proxy.mend()
  for (let state = 'lost'; state !== 'rejoined';) state = (await seen.next('connection')).state
  await attachment.write('echo again; exit\n')
  await seen.end()
  expect(seen.output.toString().match(/once/g)).toHaveLength(1)
})

test('the rest of a session that ended while the connection was away is read, and its end', async () => {
  await using world = await startWorld()
  await using proxy = await startTcpProxy(world.relay.url)
  const { near, safe } = await openOverProxy(world, proxy)
  await using attachment = await near.attach({ lease: 'none' })
  const seen = watch(attachment)
  await seen.next('snapshot')
  proxy.break()
  await using other = await safe.attach()
  await other.write('seq 1 1000; echo la""st; exit 3\n')
  await watch(other).end()
  proxy.mend()
  expect(await seen.end()).toMatchObject({ state: 'ended', endReason: 'exited', exitCode: 3 })
  expect(seen.text).toContain('\r\n1000\r\nlast\r\n')
})
