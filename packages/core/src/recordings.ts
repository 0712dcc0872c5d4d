import * as wire from '@cmdop/protocol'
import { type RecordedEvent, readEvents } from './recorded-events.ts'
import type { Cancellable } from './cancellable.ts'
import type { RecordingList, RecordingSummary } from './resources.ts'
import { type FromWire, toQuery } from './wire-names.ts'
import { cursorPages, itemsOf } from './pages.ts'
import type { RestClient } from './rest-client.ts'

/** `client.recordings`: what happened in the fleet's sessions and commands. */
export class RecordingsNamespace {
  readonly #rest: RestClient

  constructor(rest: RestClient) {
    this.#rest = rest
  }

  /** One page, the newest first. Pass `nextCursor` on as `cursor`. */
  list(query: Partial<FromWire<wire.RecordingListQuery>> & Cancellable = {}): Promise<RecordingList> {
    const { signal, ...given } = query
    return this.#rest.call({
      method: 'GET',
      path: '/api/recordings',
      query: toQuery(wire.RecordingListQuery, given),
      answer: wire.RecordingList,
      signal,
    })
  }

  /** Every recording, page by page as they are needed. */
  iter(
    query: Omit<Partial<FromWire<wire.RecordingListQuery>>, 'cursor'> & Cancellable = {},
  ): AsyncGenerator<RecordingSummary> {
    return itemsOf(this.pages(query), ({ recordingId }) => recordingId, query)
  }

  /** Every page. Ends with the last one, and when a page does not lead on. */
  pages(
    query: Omit<Partial<FromWire<wire.RecordingListQuery>>, 'cursor'> & Cancellable = {},
  ): AsyncGenerator<RecordingList> {
    return cursorPages((cursor) => this.list({ ...query, cursor }))
  }

  /** One recording: by its id, or the newest of a session or call by theirs. Throws `not_found`. */
  async get(id: string, { signal }: Cancellable = {}): Promise<RecordingSummary> {
    if (wire.RecordingId.safeParse(id).success)
      return this.#rest.call({ method: 'GET', path: pathOf(id), answer: wire.RecordingSummary, signal })
    const { items } = await this.list({ subjectId: id, limit: 1, ...(signal === undefined ? {} : { signal }) })
    const [newest] = items
    if (newest !== undefined) return newest
    throw new wire.CmdopError('not_found', 'There is no such recording in your fleet; see: cmdop recordings.')
  }

  /** Its asciicast v2 file as it is stored now, in pieces as they are read. Throws `not_found`. */
  async *content(recordingId: string, { signal }: Cancellable = {}): AsyncGenerator<Uint8Array> {
    for (let offset = 0; ;) {
      const query = { offset, length: wire.MAX_RECORDING_PART_BYTES }
      const part = await this.#rest.bytes({ method: 'GET', path: `${pathOf(recordingId)}/content`, query, signal })
      if (part.length === 0) return
      yield part
      if (part.length < wire.MAX_RECORDING_PART_BYTES) return
      offset += part.length
    }
  }

  /** What happened, in order; see {@link RecordedEvent}. Throws `not_found`, `integrity` for what is no recording. */
  events(recordingId: string, options: Cancellable = {}): AsyncGenerator<RecordedEvent> {
    return readEvents(this.content(recordingId, options))
  }
}

function pathOf(recordingId: string): string {
  return `/api/recordings/${encodeURIComponent(recordingId)}`
}
