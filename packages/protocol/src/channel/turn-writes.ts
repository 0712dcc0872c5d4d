/** Node's; browsers have neither this nor streams to hold back. */
declare function setImmediate(act: () => void): unknown

/** The part of a Node stream that is needed to hold back what is written to it. */
export interface CorkedStream {
  cork(): void
  uncork(): void
}

const held = new Set<CorkedStream>()

/**
 * Holds back what is written to a stream until this turn of the event loop is over: what many calls say in one turn then goes to
 * the kernel at once, which is most of what a small frame costs. `setImmediate` comes right after the turn's input and output.
 */
export function holdForTurn(stream: CorkedStream): void {
  if (held.has(stream)) return
  if (held.size === 0) setImmediate(releaseAll)
  held.add(stream)
  stream.cork()
}

/** Writes what is held back of one stream now. */
export function releaseHeld(stream: CorkedStream): void {
  if (held.delete(stream)) stream.uncork()
}

function releaseAll(): void {
  const streams = Array.from(held)
  held.clear()
  release(streams)
}

/** What one stream throws is not kept back, and keeps no other one back. */
function release(streams: CorkedStream[]): void {
  try {
    for (let stream = streams.shift(); stream !== undefined; stream = streams.shift()) stream.uncork()
  } finally {
    if (streams.length > 0) setImmediate(() => release(streams))
  }
}
