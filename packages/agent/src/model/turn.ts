import type { Experimental_LanguageModelStreamPart as StreamPart, ModelMessage } from 'ai'
import type { ProposedCall } from './model-step.ts'

type AssistantContent = Extract<ModelMessage, { role: 'assistant' }>['content']
type AssistantPart = Exclude<AssistantContent, string>[number]
type SpokenPart = Extract<StreamPart, { type: `${'text' | 'reasoning'}-${'start' | 'delta' | 'end'}` }>
type Spoken = Extract<AssistantPart, { type: 'text' | 'reasoning' }>

/** A model's turn, put together from the pieces of its stream. */
export interface Turn {
  readonly text: string
  /** In the order the model made them. */
  readonly calls: readonly ProposedCall[]
  /** The turn for the conversation, with whatever its provider wants to see again; none when it said nothing. */
  readonly messages: readonly ModelMessage[]
  add(part: StreamPart): void
}

/** An empty turn. */
export function createTurn(): Turn {
  const parts: AssistantPart[] = []
  const calls: ProposedCall[] = []
  /** By kind and id, as several texts may be written side by side. */
  const open = new Map<string, Spoken>()
  const speak = (type: Spoken['type'], part: SpokenPart): void => {
    const key = `${type} ${part.id}`
    const spoken: Spoken = open.get(key) ?? { type, text: '' }
    if (!open.has(key)) parts.push(spoken)
    open.set(key, spoken)
    if ('text' in part) spoken.text += part.text
    if (part.providerMetadata !== undefined) spoken.providerOptions = part.providerMetadata
    if (part.type.endsWith('-end')) open.delete(key)
  }
  return {
    calls,
    get text() {
      return parts.map((part) => (part.type === 'text' ? part.text : '')).join('')
    },
    get messages() {
      const said = parts.filter(
        (part) => part.type !== 'text' || part.text !== '' || part.providerOptions !== undefined,
      )
      return said.length === 0 ? [] : [{ role: 'assistant' as const, content: said }]
    },
    add: (part) => {
      if (part.type === 'text-start' || part.type === 'text-delta' || part.type === 'text-end') speak('text', part)
      if (part.type === 'reasoning-start' || part.type === 'reasoning-delta' || part.type === 'reasoning-end') {
        speak('reasoning', part)
      }
      if (part.type !== 'tool-call' || part.providerExecuted === true) return
      const { toolCallId, toolName, input, invalid, providerMetadata } = part
      const unreadable = invalid === true && typeof input === 'string'
      calls.push({ toolCallId, tool: toolName, input, unreadable })
      parts.push({
        type: 'tool-call',
        toolCallId,
        toolName: validName(toolName),
        input: invalid === true && typeof input !== 'object' ? {} : input,
        ...(providerMetadata === undefined ? {} : { providerOptions: providerMetadata }),
      })
    },
  }
}

/** The name as it may stand in a conversation: a provider refuses one that it would not have allowed; a model may invent it. */
export function validName(name: string): string {
  return name.replace(/[^\w-]/g, '_').slice(0, 64) || '_'
}
