import { randomBytes } from 'node:crypto'
import type { RemoteMachine } from '@cmdop/core'
import * as fc from 'fast-check'
import { expect } from 'vitest'
import type { TcpProxy } from './tcp-proxy.ts'

const LINES = 150_000
const WHOLE = Buffer.from(Array.from({ length: LINES }, (_, index) => `${index + 1}\n`).join(''))

/** Where the way is cut, in bytes of output that were read by then. */
const cuts = fc.uniqueArray(fc.integer({ min: 0, max: WHOLE.length - 1 }), { minLength: 1, maxLength: 4 })

/** A counter's output is whole and in order, wherever the client's connection is cut. */
export async function checkOutputOverCuts(handle: RemoteMachine, proxy: TcpProxy, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(cuts, async (points) => {
      const output = await readWithCuts(handle, { proxy, points, command: `seq 1 ${LINES}` })
      expect(Buffer.compare(output, WHOLE)).toBe(0)
    }),
    { numRuns, endOnFailure: true },
  )
}

/** What goes in comes out, wherever the client's connection is cut. */
export async function checkInputOverCuts(handle: RemoteMachine, proxy: TcpProxy, numRuns: number): Promise<void> {
  const data = randomBytes(WHOLE.length)
  await fc.assert(
    fc.asyncProperty(cuts, fc.integer({ min: 200, max: 200_000 }), async (points, pieceBytes) => {
      const output = await readWithCuts(handle, { proxy, points, command: ['cat'], stdin: pieces(data, pieceBytes) })
      expect(Buffer.compare(output, data)).toBe(0)
    }),
    { numRuns, endOnFailure: true },
  )
}

interface CutRead {
  readonly proxy: TcpProxy
  readonly points: readonly number[]
  readonly command: string | string[]
  readonly stdin?: AsyncIterable<Uint8Array>
}

async function readWithCuts(handle: RemoteMachine, { proxy, points, command, stdin }: CutRead): Promise<Buffer> {
  const left = points.toSorted((one, other) => one - other)
  const execution = handle.exec(command, stdin === undefined ? {} : { stdin })
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const { data, offset } of execution) {
    expect(offset).toBe(bytes)
    chunks.push(data)
    bytes += data.length
    while (left[0] !== undefined && left[0] < bytes) {
      left.shift()
      proxy.cut()
    }
  }
  expect(await execution.exit).toMatchObject({ exitCode: 0, stdoutBytes: bytes })
  return Buffer.concat(chunks)
}

async function* pieces(data: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += pieceBytes) yield data.subarray(at, at + pieceBytes)
}
