import * as fc from 'fast-check'
import { expect } from 'vitest'
import { createTerminal, Emulator } from '../emulator.ts'
import { writeNow } from '../terminal-internals.ts'
import { type SeenTerminal, seeTerminal } from './seen-terminal.ts'
import { terminalStream } from './terminal-stream.ts'

/** Small, so that what is at its edges happens often. */
const size = { columns: 20, rows: 6 }

type Size = typeof size

/** A terminal that was painted somewhere in the middle shows what one that was there from the start does, then and later. */
export function assertSnapshots(numRuns: number): void {
  fc.assert(
    fc.property(terminalStream(size), fc.nat(), (stream, cut) => {
      assertSnapshotAt(stream, cut % (stream.length + 1), size)
    }),
    { numRuns },
  )
}

/** The same, at one point of one output. */
export function assertSnapshotAt(output: Uint8Array, at: number, of: Size): void {
  const [early, late] = [output.subarray(0, at), output.subarray(at)]
  expect(watch(paint(early, { of }), late, of)).toEqual(watch(early, late, of))
}

/** What paints the screen after this output. */
export function paint(output: Uint8Array, { history = true, of = size } = {}): Uint8Array {
  using emulator = new Emulator(of)
  emulator.write(output)
  return emulator.paint(history).paint
}

interface Seen {
  readonly before: SeenTerminal
  readonly after: SeenTerminal
}

function watch(early: Uint8Array, late: Uint8Array, of: Size): Seen {
  const terminal = createTerminal(of)
  writeNow(terminal, early)
  const before = seeTerminal(terminal)
  writeNow(terminal, late)
  const after = seeTerminal(terminal)
  terminal.dispose()
  return { before, after }
}
