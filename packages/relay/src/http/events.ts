import { once } from 'node:events'
import type { FastifyReply } from 'fastify'

/** One event of a stream. */
export interface StreamedEvent {
  readonly id: string
  readonly data: unknown
}

/**
 * Sends events (`text/event-stream`) until there are no more or the client is gone, which aborts `signal` of `events`. A client that
 * reads slowly is waited for, nothing is kept for it.
 */
export async function sendEvents(
  reply: FastifyReply,
  heartbeatMs: number,
  events: (signal: AbortSignal) => AsyncIterable<StreamedEvent>,
): Promise<void> {
  reply.hijack()
  const { raw } = reply
  raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
  raw.flushHeaders()
  const heartbeat = setInterval(() => {
    if (!raw.writableNeedDrain) raw.write(':\n\n')
  }, heartbeatMs)
  const gone = new AbortController()
  raw.once('close', () => gone.abort())
  try {
    for await (const { id, data } of events(gone.signal)) {
      if (!raw.write(`id: ${id}\ndata: ${JSON.stringify(data)}\n\n`)) await once(raw, 'drain', { signal: gone.signal })
    }
  } catch (err) {
    if (!gone.signal.aborted) reply.log.info({ err }, 'a stream of events was left before its end')
  } finally {
    clearInterval(heartbeat)
    raw.end()
  }
}
