import { CmdopError } from '@cmdop/protocol'
import type { ModelMessage } from 'ai'
import type { RunMethod } from './agent.ts'
import { agentTypeOf } from './agent-types/agent-types.ts'
import { createFence } from './run/fence.ts'
import type { RunResult } from './run/run-result.ts'
import { createRunStream, type RunStream } from './run/run-stream.ts'
import { type AgentParts, createTask, ownRestrictions, refuseUnknownOptions, type RunOptions } from './run/task.ts'

/** Most bytes of earlier turns that a conversation keeps, as JSON. Beyond it the oldest turns are forgotten. */
const keptBytes = 262_144

/** A talk that goes on: each prompt is seen with what was said before. One at a time: a second is `conflict`. */
export interface Conversation {
  /** Says something, and resolves with the answer. A turn that fails is forgotten. */
  send: RunMethod<'promise'>
  /** The same as a stream of events. */
  sendStream: RunMethod<'stream'>
  /** What is remembered, oldest first. */
  readonly messages: readonly ModelMessage[]
  /** What there is to keep of it, as JSON, to go on in another process. */
  readonly kept: KeptConversation
  /** Forgets everything. */
  clear(): void
}

/** A conversation at rest. */
export interface KeptConversation {
  /** Of the marks around data in it. */
  readonly nonce: string
  /** Oldest first. */
  readonly turns: readonly (readonly ModelMessage[])[]
  /** Whether there was data in it that looks like instructions, also in a turn that is forgotten. */
  readonly tainted?: boolean | undefined
}

/**
 * A conversation with an agent, of type `chat` unless a turn says otherwise. `defaults`: options of every turn; `kept`: of
 * one that goes on.
 */
export function createConversation(parts: AgentParts, defaults: RunOptions, kept?: KeptConversation): Conversation {
  refuseUnknownOptions(defaults)
  const fence = createFence(kept?.nonce)
  const bound = { ...parts, restrictions: [...parts.restrictions, ...ownRestrictions(defaults)] }
  let turns = [...(kept?.turns ?? [])]
  let isTainted = kept?.tainted ?? false
  let busy = false
  const sendStream = (prompt: string, options: RunOptions = {}): RunStream => {
    const all: RunOptions = { agentType: 'chat', ...defaults, ...options }
    const earlier = turns.flat()
    // Those of the conversation hold for each turn; a turn's own are added.
    const task = createTask(
      bound,
      prompt,
      { ...all, restrictions: options.restrictions },
      {
        type: agentTypeOf(all.agentType),
        earlier: { messages: earlier, fence, tainted: isTainted },
      },
    )
    return createRunStream(task, {
      onStart: () => {
        if (busy) throw busyError()
        busy = true
      },
      onEnd: () => void (busy = false),
      onCompleted: ({ messages, tainted }) => {
        isTainted = tainted
        turns = latest([...turns, messages.slice(earlier.length)])
      },
    })
  }
  const send = async (prompt: string, options?: RunOptions): Promise<RunResult> => sendStream(prompt, options).result
  return {
    send: send as RunMethod<'promise'>,
    sendStream: sendStream as RunMethod<'stream'>,
    get messages() {
      return turns.flat()
    },
    get kept() {
      return { nonce: fence.nonce, turns, ...(isTainted ? { tainted: true } : {}) }
    },
    clear: () => {
      turns = []
      isTainted = false
    },
  }
}

function busyError(): CmdopError {
  return new CmdopError('conflict', 'The conversation waits for an answer already. Send one prompt after another.')
}

function latest(turns: (readonly ModelMessage[])[]): (readonly ModelMessage[])[] {
  let bytes = 0
  const sizes = turns.map((turn) => JSON.stringify(turn).length)
  for (let first = turns.length - 1; first >= 0; first--) {
    bytes += sizes[first] ?? 0
    // The last turn stays, however long it is: it is what the next prompt speaks of.
    if (bytes > keptBytes && first < turns.length - 1) return turns.slice(first + 1)
  }
  return turns
}
