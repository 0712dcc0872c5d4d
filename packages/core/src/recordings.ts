import {
  CmdopError,
  MAX_RECORDING_PART_BYTES,
  RecordingId,
  RecordingList,
  type RecordingListQuery,
  RecordingSummary,
} from '@cmdop/protocol'
import { type RecordedEvent, readEvents } from './recorded-events.ts'
import type { RestClient } from './rest-client.ts'

interface Cancellable {
  signal?: AbortSignal
}

/** `client.recordings`: what happened in the fleet's sessions and commands. */
export class RecordingsNamespace {
  readonly #rest: RestClient

  constructor(rest: RestClient) {
    this.#rest = rest
  }

  /** One page, the newest first. Pass `next_cursor` on as `cursor`. */
  list(query: Partial<RecordingListQuery> & Cancellable = {}): Promise<RecordingList> {
    const { signal, ...rest } = query
    return this.#rest.call({ method: 'GET', path: '/api/recordings', query: rest, answer: RecordingList, signal })
  }

  /** Every recording, page by page as they are needed. */
  async *iter(query: Omit<Partial<RecordingListQuery>, 'cursor'> & Cancellable = {}): AsyncGenerator<RecordingSummary> {
    for await (const page of this.pages(query)) yield* page.items
  }

  /** Every page. Ends with the last one, and when a page does not lead on. */
  async *pages(query: Omit<Partial<RecordingListQuery>, 'cursor'> & Cancellable = {}): AsyncGenerator<RecordingList> {
    for (let cursor: string | undefined; ;) {
      const page = await this.list({ ...query, ...(cursor === undefined ? {} : { cursor }) })
      yield page
      if (page.next_cursor === null || page.next_cursor === cursor) return
      cursor = page.next_cursor
    }
  }

  /** One recording: by its id, or the newest of a session or call by theirs. Throws `not_found`. */
  async get(id: string, { signal }: Cancellable = {}): Promise<RecordingSummary> {
    if (RecordingId.safeParse(id).success)
      return this.#rest.call({ method: 'GET', path: pathOf(id), answer: RecordingSummary, signal })
    const { items } = await this.list({ subjectId: id, limit: 1, ...(signal === undefined ? {} : { signal }) })
    const [newest] = items
    if (newest !== undefined) return newest
    throw new CmdopError('not_found', 'There is no such recording in your fleet; see: cmdop recordings.')
  }

  /** Its asciicast v2 file as it is stored now, in pieces as they are read. Throws `not_found`. */
  async *content(recordingId: string, { signal }: Cancellable = {}): AsyncGenerator<Uint8Array> {
    for (let offset = 0; ;) {
      const query = { offset, length: MAX_RECORDING_PART_BYTES }
      const part = await this.#rest.bytes({ method: 'GET', path: `${pathOf(recordingId)}/content`, query, signal })
      if (part.length === 0) return
      yield part
      if (part.length < MAX_RECORDING_PART_BYTES) return
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
