import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'

/** One event: its id is what a client that comes back gives as `Last-Event-ID`. */
export interface SentEvent {
  readonly id: string
  /** JSON, in one line. */
  readonly data: string
}

interface SendOptions {
  readonly heartbeatMs: number
  readonly headers?: Record<string, string>
  readonly from?: string
  readonly until?: AbortSignal
}

/**
 * Sends events until there are no more, or the client is gone, with a sign of life while there are none. `from`: the id
 * after which they begin, for a client that is lost before the first. `until`: ends them, whether the client reads or not.
 */
export async function sendEvents(
  reply: FastifyReply,
  events: AsyncIterable<SentEvent>,
  { heartbeatMs, headers = {}, from, until }: SendOptions,
): Promise<void> {
  reply.hijack()
  const { raw } = reply
  raw.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    ...headers,
  })
  raw.flushHeaders()
  if (from !== undefined) raw.write(`id: ${from}\n\n`)
  const heartbeat = setInterval(() => {
    if (!raw.writableNeedDrain) raw.write(':\n\n')
  }, heartbeatMs)
  const gone = once(raw, 'close', until === undefined ? {} : { signal: until })
  try {
    await Promise.race([pump(raw, events), gone])
  } catch (error) {
    reply.log.info({ err: error, ...headers }, 'a stream of events was left before its end')
  } finally {
    clearInterval(heartbeat)
    raw.end()
  }
}

async function pump(raw: ServerResponse, events: AsyncIterable<SentEvent>): Promise<void> {
  for await (const { id, data } of events) {
    if (!raw.write(`id: ${id}\ndata: ${data}\n\n`)) await once(raw, 'drain')
  }
}
