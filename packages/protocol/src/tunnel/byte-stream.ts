import type { CorkedStream } from '../channel/turn-writes.ts'

/**
 * The part of Node's `Duplex` that a tunnel connection needs of the connection at its end: a socket, or one side of a pair in
 * memory. It must let its two directions end by themselves (`allowHalfOpen`).
 */
export interface ByteStream extends CorkedStream {
  /** Bytes that were written and are not taken yet. */
  readonly writableLength: number
  readonly destroyed: boolean
  /** False: wait for `drain`. */
  write(data: Uint8Array): boolean
  end(): unknown
  pause(): unknown
  resume(): unknown
  destroy(): unknown
  /** Of a socket: tells the other side that the connection was broken off, and did not end. */
  resetAndDestroy?(): unknown
  on(event: 'data', listener: (data: Uint8Array) => void): unknown
  on(event: 'end' | 'drain' | 'close', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
}
