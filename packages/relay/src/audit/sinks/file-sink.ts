import { open } from 'node:fs/promises'
import type { Sink } from './sink.ts'
import { lineOf } from './line.ts'

/** Adds a line to a file, on its disk before it resolves. The file can be on another machine's disk, or append-only. */
export function fileSink(path: string): Sink {
  return {
    send: async (checkpoint) => {
      await using file = await open(path, 'a', 0o600)
      await file.appendFile(`${lineOf(checkpoint)}\n`)
      await file.sync()
    },
  }
}
