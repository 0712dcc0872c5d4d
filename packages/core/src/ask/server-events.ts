import { CmdopError } from '@cmdop/protocol'

/** Characters of one event at most. */
const MAX_EVENT_CHARACTERS = 8 * 1024 * 1024

/** One event that a server sent. */
export interface ServerEvent {
  readonly id: string
  readonly data: string
}

/**
 * Reads server-sent events: those with data, each with the last id; comments only show that the server lives. `bareId` is
 * told an id that comes without data: where to go on from before there was any event.
 */
export async function* readServerEvents(
  body: AsyncIterable<Uint8Array>,
  bareId: (id: string) => void = () => {},
): AsyncGenerator<ServerEvent, void, undefined> {
  const decoder = new TextDecoder()
  let text = ''
  let id = ''
  let data: string[] = []
  for await (const bytes of body) {
    text += decoder.decode(bytes, { stream: true })
    if (text.length > MAX_EVENT_CHARACTERS) throw new CmdopError('protocol', 'The relay sent an event without an end.')
    const lines = text.split(/\r\n|\n|\r(?!$)/)
    text = lines.pop() ?? ''
    for (const line of lines) {
      const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
      if (line !== '') {
        if (field === 'id') id = value
        if (field === 'data') data.push(value)
        continue
      }
      if (data.length > 0) yield { id, data: data.join('\n') }
      else if (id !== '') bareId(id)
      data = []
    }
  }
}
