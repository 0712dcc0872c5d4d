import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { SCROLLBACK_BYTES, SCROLLBACK_MEMORY_BYTES } from '@cmdop/protocol'
import { describe, expect, test } from 'vitest'
import { temporaryFolder } from '../../testing/temporary-folder.ts'
import { Scrollback } from './scrollback.ts'

const PIECE = 10_007

describe('a scrollback', () => {
  test('gives back what was put in, from any offset, from memory and from a file without a name', async () => {
    await using folder = await temporaryFolder()
    await using scrollback = new Scrollback(folder.path)
    const size = 5 * SCROLLBACK_MEMORY_BYTES
    await fill(scrollback, size)
    expect([scrollback.start, scrollback.end]).toEqual([0, size])
    for (const offset of [0, 1, 65_535, 65_536, 2_000_000, size - SCROLLBACK_MEMORY_BYTES, size - 1])
      expect(await piece(scrollback, offset)).toEqual(expected(offset, (await piece(scrollback, offset)).length))
    expect(scrollback.at(0)).toBeUndefined()
    expect(await scrollback.read(size)).toBeUndefined()
    expect(scrollback.has(size + 1)).toBe(false)
    expect(await readdir(folder.path)).toEqual([])
  })

  test('keeps the latest bytes up to its limit', async () => {
    await using folder = await temporaryFolder()
    await using scrollback = new Scrollback(folder.path)
    const size = SCROLLBACK_BYTES + 3_000_000
    await fill(scrollback, size)
    expect(scrollback.start).toBeGreaterThanOrEqual(size - SCROLLBACK_BYTES)
    expect(scrollback.start).toBeLessThan(size - SCROLLBACK_BYTES + 1_000_000)
    expect(await scrollback.read(scrollback.start - 1)).toBeUndefined()
    for (const offset of [scrollback.start, scrollback.start + 12_345_678, size - 100])
      expect(await piece(scrollback, offset)).toEqual(expected(offset, (await piece(scrollback, offset)).length))
  })

  test('goes on with its memory alone where the disk takes nothing', async () => {
    await using folder = await temporaryFolder()
    await using scrollback = new Scrollback(join(folder.path, 'missing'))
    const size = 4 * SCROLLBACK_MEMORY_BYTES
    await fill(scrollback, size)
    expect(scrollback.isSpooled).toBe(false)
    expect(scrollback.start).toBeGreaterThanOrEqual(size - SCROLLBACK_MEMORY_BYTES - 65_536)
    expect(scrollback.start).toBeLessThanOrEqual(size - SCROLLBACK_MEMORY_BYTES)
    expect(await piece(scrollback, scrollback.start)).toEqual(expected(scrollback.start, 65_536))
  })

  test('answers with pieces that do not change', async () => {
    await using folder = await temporaryFolder()
    await using scrollback = new Scrollback(folder.path)
    const data = Buffer.from('first')
    const pieces = scrollback.append(data)
    data.fill(0)
    scrollback.append(Buffer.from('second'))
    expect(Buffer.concat(pieces).toString()).toBe('first')
    expect(Buffer.from(scrollback.at(3) ?? []).toString()).toBe('stsecond')
  })
})

/** The byte at an offset, no two neighbouring blocks alike. */
function expected(offset: number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => byteAt(offset + index)))
}

function byteAt(offset: number): number {
  return (offset + Math.floor(offset / 251) * 7) & 0xff
}

/** Puts bytes in as fast as the disk takes them. */
async function fill(scrollback: Scrollback, size: number): Promise<void> {
  const data = Buffer.alloc(PIECE)
  for (let offset = 0; offset < size;) {
    const length = Math.min(PIECE, size - offset)
    for (let index = 0; index < length; index += 1) data[index] = byteAt(offset + index)
    scrollback.append(data.subarray(0, length))
    offset += length
    while (scrollback.waitingBytes > 1_000_000) await new Promise(setImmediate)
  }
  while (scrollback.waitingBytes >= 65_536) await new Promise(setImmediate)
}

async function piece(scrollback: Scrollback, offset: number): Promise<Buffer> {
  return Buffer.from((await scrollback.read(offset)) ?? [])
}
