import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createEmitterTransport, createMemoryTransports, type Transport } from '@cmdop/protocol'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { type SessionWorld, startSessionWorld } from './session-world.ts'
import type { TestParticipant } from './test-participant.ts'

const LINES = 60_000
const WHOLE = Array.from({ length: LINES }, (_, index) => `${index + 1}\r\n`).join('')

/** Where the way is cut, in bytes of output that were read by then. */
const cuts = fc.uniqueArray(fc.integer({ min: 0, max: WHOLE.length - 1 }), { minLength: 1, maxLength: 4 })

/** Cuts the connection of an operator while a counter prints, so many times over each kind of transport. */
export function testResumption(numRuns: number): void {
  describe('an operator whose connection is cut at any points', () => {
    test('has every byte once and in order, over memory', () =>
      assertWhole(numRuns, async () => createMemoryTransports()))

    test('has every byte once and in order, over WebSockets', async () => {
      const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      await assertWhole(numRuns, async () => {
        const accepted = once(server, 'connection') as Promise<[WebSocket]>
        const socket = new WebSocket(`ws://127.0.0.1:${port}`)
        const [[far]] = await Promise.all([accepted, once(socket, 'open')])
        return [createEmitterTransport(socket), createEmitterTransport(far)]
      })
      server.close()
    })
  })
}

async function assertWhole(numRuns: number, makeTransports: () => Promise<[Transport, Transport]>): Promise<void> {
  await using world = await startSessionWorld({ PS1: '' })
  const { sessionId } = await world.open()
  const starter = await world.attach(sessionId)
  await starter.type('stty -echo; PS1=; echo rea""dy\n')
  await starter.shows('ready\r\n')
  await starter.ask({ type: 'lease-release' })
  let runs = 0
  await fc.assert(
    fc.asyncProperty(cuts, async (points) => {
      runs += 1
      const offset = starter.offset
      const read = { world, sessionId, callId: `call_counter_${runs}`, offset, makeTransports }
      const output = await readWithCuts(read, points)
      expect(output === WHOLE).toBe(true)
      await starter.until('it has seen it, too', () => starter.offset === offset + WHOLE.length)
    }),
    { numRuns, endOnFailure: true },
  )
}

interface Read {
  readonly world: SessionWorld
  readonly sessionId: string
  readonly callId: string
  readonly offset: number
  readonly makeTransports: () => Promise<[Transport, Transport]>
}

/** What all participants of one call id together have read. */
async function readWithCuts(read: Read, points: readonly number[]): Promise<string> {
  const left = points.toSorted((one, other) => one - other)
  let output = ''
  let isTyped = false
  for (;;) {
    const [near, far] = await read.makeTransports()
    const connection = await read.world.connect([near, far])
    const { sessionId, callId } = read
    const params = { offset: read.offset + output.length }
    const operator = await read.world.attach(sessionId, params, { callId, connection })
    expect(operator.snapshots).toEqual([])
    if (!isTyped) await operator.type(`seq 1 ${LINES}\n`)
    isTyped = true
    const next = Math.min(left.shift() ?? WHOLE.length, WHOLE.length)
    const isLast = next === WHOLE.length
    await reach(operator, next + (isLast ? 0 : 1) - output.length)
    if (isLast) await operator.channel.end()
    else near.terminate()
    await operator.over
    output += operator.text
    if (isLast) return output
  }
}

function reach(operator: TestParticipant, bytes: number): Promise<void> {
  return operator.until(`it has ${bytes} bytes`, () => operator.bytes >= bytes)
}
