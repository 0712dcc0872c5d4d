import { readServerEvents } from './ask/server-events.ts'
import { createBackoff, isTransient } from './reconnect.ts'
import type { RestClient } from './rest-client.ts'
import { wait } from './wait.ts'

/** An event of a stream that is gone on with. */
export interface WatchedEvent {
  readonly id: string
  /** JSON that was read; undefined where it is none. */
  readonly data: unknown
}

/**
 * The events of a path, for as long as somebody reads them: a lost connection is taken up after the last event. Ends when `signal`
 * aborts, with `cancelled`. Throws what the first connection fails with, and what another try does not help against.
 */
export async function* watchEvents(
  rest: RestClient,
  given: { path: string; lastEventId?: string | undefined; signal?: AbortSignal | undefined },
): AsyncGenerator<WatchedEvent, never, undefined> {
  const { path, signal } = given
  let seen = given.lastEventId
  let backoff = createBackoff()
  for (let isFirst = true; ;) {
    try {
      const body = await rest.stream({ method: 'GET', path, lastEventId: seen, signal })
      isFirst = false
      for await (const { id, data } of readServerEvents(body)) {
        seen = id
        backoff = createBackoff()
        yield { id, data: parseJson(data) }
      }
    } catch (error) {
      if (isFirst || !isTransient(error)) throw error
    }
    await wait(backoff(), signal)
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
