import { createHash } from 'node:crypto'
import { RECORDED_EXEC_BYTES } from '@cmdop/protocol'
import { array, assert, constantFrom, integer, property, record } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ExecOutput, MAX_PIECES, type OutputPiece } from './exec-output.ts'

const joined = (pieces: readonly OutputPiece[]) => Buffer.concat(pieces.map(({ data }) => data))

const pattern = Uint8Array.from({ length: 2 * RECORDED_EXEC_BYTES }, (_, index) => (index * 2_654_435_761) >>> 24)

/** Output whose bytes tell where they are from. */
function outputOf(sizes: readonly { size: number; stream: 'stdout' | 'stderr' }[]): OutputPiece[] {
  let at = 0
  return sizes.map(({ size, stream }, time) => {
    const data = pattern.subarray(at % 1009, (at % 1009) + size)
    at += size
    return { time, stream, data }
  })
}

describe('the output of a command', () => {
  test('is kept whole up to twice the bound, and beyond it head, tail, length and SHA-256', () => {
    const size = constantFrom(1, 7, 4096, 65_536, 200_000, RECORDED_EXEC_BYTES - 1, RECORDED_EXEC_BYTES)
    const piece = record({ size, stream: constantFrom('stdout' as const, 'stderr' as const) })
    assert(
      property(array(piece, { maxLength: 10 }), integer({ min: 1, max: 3 }), (sizes, times) => {
        const pieces = outputOf(Array.from({ length: times }, () => sizes).flat())
        const output = new ExecOutput()
        for (const each of pieces) output.add(each)
        const whole = joined(pieces)
        const { omission, tail } = output.rest()
        expect(joined(output.head).equals(whole.subarray(0, RECORDED_EXEC_BYTES))).toBe(true)
        if (whole.length <= 2 * RECORDED_EXEC_BYTES) {
          expect(joined([...output.head, ...tail]).equals(whole)).toBe(true)
          expect(omission).toBeUndefined()
        } else {
          expect(joined(tail).equals(whole.subarray(-RECORDED_EXEC_BYTES))).toBe(true)
          expect(omission).toEqual({
            bytes: whole.length - 2 * RECORDED_EXEC_BYTES,
            whole: {
              stdoutBytes: joined(pieces.filter(({ stream }) => stream === 'stdout')).length,
              stderrBytes: joined(pieces.filter(({ stream }) => stream === 'stderr')).length,
              sha256: createHash('sha256').update(whole).digest('hex'),
            },
          })
        }
      }),
      { numRuns: 30 },
    )
  })

  test('of a flood of tiny pieces is bounded by their number too', () => {
    const output = new ExecOutput()
    const count = 5 * MAX_PIECES
    for (let time = 0; time < count; time += 1) output.add({ time, stream: 'stdout', data: Uint8Array.of(time) })
    const { omission, tail } = output.rest()
    expect([output.head.length, tail.length]).toEqual([MAX_PIECES, MAX_PIECES])
    expect(omission?.bytes).toBe(count - 2 * MAX_PIECES)
    expect(tail.at(-1)?.time).toBe(count - 1)
  })
})
