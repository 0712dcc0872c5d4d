import type { EventStore } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'

/** Most characters of messages that wait for one client; the oldest are dropped first. An answer has at most about 100,000. */
const maxCharacters = 4_194_304

interface RecentEvent {
  readonly streamId: string
  readonly message: JSONRPCMessage
  readonly characters: number
}

/** What one client was sent of late, so that it finds its answers after a lost connection (`Last-Event-ID`). */
export function recentEvents(): EventStore {
  /** By id, in the order in which they were sent. */
  const events = new Map<string, RecentEvent>()
  let count = 0
  let characters = 0
  return {
    storeEvent: async (streamId, message) => {
      const id = String((count += 1))
      const event = { streamId, message, characters: JSON.stringify(message).length }
      events.set(id, event)
      characters += event.characters
      for (const [oldest, { characters: length }] of events) {
        if (characters <= maxCharacters || oldest === id) break
        events.delete(oldest)
        characters -= length
      }
      return id
    },
    getStreamIdForEventId: async (id) => events.get(id)?.streamId,
    replayEventsAfter: async (last, { send }) => {
      const streamId = events.get(last)?.streamId ?? ''
      for (const [id, event] of events) {
        // One that primes a stream has no message.
        const isMessage = 'jsonrpc' in event.message
        if (Number(id) > Number(last) && event.streamId === streamId && isMessage) await send(id, event.message)
      }
      return streamId
    },
  }
}
