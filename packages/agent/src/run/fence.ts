import { randomBytes } from 'node:crypto'

/**
 * Marks data in what a model reads, so that an instruction hidden in it stays data. The nonce is new in each run, so
 * that data cannot close its own fence.
 */
export interface Fence {
  readonly nonce: string
  /** The text between a line that opens the fence and one that closes it. `source` says where it comes from. */
  enclose(source: string, text: string): string
}

/** A fence for one run, with 96 bits of nonce. Where data has learned the nonce, it is cut out. */
export function createFence(nonce: string = randomBytes(12).toString('hex')): Fence {
  return {
    nonce,
    enclose: (source, text) => {
      const name = source.replace(/["<>\n\r]/g, '_')
      return `<data-${nonce} source="${name}">\n${text.replaceAll(nonce, '[nonce]')}\n</data-${nonce}>`
    },
  }
}
