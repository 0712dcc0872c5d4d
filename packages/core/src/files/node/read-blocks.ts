import type { FileHandle } from 'node:fs/promises'

/** Bytes that are read from a disk at once. */
const BLOCK_BYTES = 512 * 1024

/**
 * The content between two offsets in blocks, the next one read while the caller works on the last. A block is good until
 * the next one is asked for. Ends at `end`, or where the file does.
 */
export async function* readBlocks(
  file: FileHandle,
  { start, end }: { start: number; end: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  const buffers = [new Uint8Array(0), new Uint8Array(0)]
  let position = start
  const readNext = (): Promise<Uint8Array> => {
    const wanted = Math.max(0, Math.min(end - position, BLOCK_BYTES))
    let target = buffers.shift() ?? new Uint8Array(0)
    if (target.length < wanted) target = new Uint8Array(wanted)
    buffers.push(target)
    const reading = readAt(file, target.subarray(0, wanted), position)
    // Who leaves early does not wait for it.
    reading.catch(() => {})
    return reading
  }
  for (let next = readNext(); ;) {
    const block = await next
    if (block.length === 0) return
    position += block.length
    next = readNext()
    yield block
  }
}

async function readAt(file: FileHandle, target: Uint8Array, position: number): Promise<Uint8Array> {
  if (target.length === 0) return target
  const { bytesRead } = await file.read(target, 0, target.length, position)
  return target.subarray(0, bytesRead)
}
