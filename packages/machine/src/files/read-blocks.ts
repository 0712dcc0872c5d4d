import type { FileHandle } from 'node:fs/promises'

/** Bytes of the first block, and of the others: a small file, or a reader that stalls at once, costs little. */
const FIRST_BLOCK_BYTES = 64 * 1024
const BLOCK_BYTES = 512 * 1024

/**
 * The content between two offsets in blocks, the next one read while the caller works on the last. A block is good until
 * the next one is asked for. Ends at `end`, or where the file does.
 */
export async function* readBlocks(
  file: FileHandle,
  { start, end }: { start: number; end: number },
): AsyncGenerator<Buffer, void, undefined> {
  const buffers = [Buffer.alloc(0), Buffer.alloc(0)] as const
  let [current, other]: readonly Buffer[] = buffers
  let position = start
  const readNext = (): Promise<Buffer> => {
    const most = position === start ? FIRST_BLOCK_BYTES : BLOCK_BYTES
    const wanted = Math.max(0, Math.min(end - position, most))
    if (current === undefined || current.length < wanted) current = Buffer.allocUnsafeSlow(wanted)
    const reading = readAt(file, current.subarray(0, wanted), position)
    // Who leaves early does not wait for it.
    reading.catch(() => {})
    return reading
  }
  for (let next = readNext(); ;) {
    const block = await next
    if (block.length === 0) return
    position += block.length
    ;[current, other] = [other, current]
    next = readNext()
    yield block
  }
}

async function readAt(file: FileHandle, target: Buffer, position: number): Promise<Buffer> {
  if (target.length === 0) return target
  const { bytesRead } = await file.read(target, 0, target.length, position)
  return target.subarray(0, bytesRead)
}
