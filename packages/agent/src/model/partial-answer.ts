import { type Experimental_LanguageModelStreamPart as StreamPart, parsePartialJson } from 'ai'

/** Reads the input of one tool while the model still writes it. */
export interface PartialInput {
  /** The value so far, when the part adds enough to it; nothing has validated it. */
  add(part: StreamPart): Promise<{ readonly value: unknown } | undefined>
}

/**
 * Follows the first call of a tool in a step. It is parsed anew each time it has grown by a tenth, so that the work
 * stays in proportion to the length of the answer.
 */
export function followInput(tool: string): PartialInput {
  let id: string | undefined
  let text = ''
  let next = 0
  return {
    add: async (part) => {
      if (part.type === 'tool-input-start' && part.toolName === tool) id ??= part.id
      if (part.type !== 'tool-input-delta' || part.id !== id) return undefined
      text += part.delta
      if (text.length < next) return undefined
      next = text.length * 1.1
      const { value } = await parsePartialJson(text)
      return value === undefined ? undefined : { value }
    },
  }
}
