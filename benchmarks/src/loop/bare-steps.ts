import { jsonSchema, type ModelMessage, streamText, tool, type ToolSet } from 'ai'
import type { CallOptions, InstantModel } from './instant-model.ts'

/** What our loop sent to its model, so that the bare steps can send the same. */
export interface Conversation {
  readonly instructions: string
  readonly tools: ToolSet
  readonly prompt: string
  /** What the model was told of a command. */
  readonly toolResult: string
}

/** Reads it from the second call of a run: the first one that has the result of a tool. */
export function conversationOf({ prompt, tools = [] }: CallOptions): Conversation {
  const texts = prompt.flatMap(({ content }) => (typeof content === 'string' ? [content] : content.flatMap(textOf)))
  const [instructions = '', first = '', toolResult = ''] = texts
  const functions = tools.flatMap((each) => (each.type === 'function' ? [each] : []))
  return {
    instructions,
    prompt: first,
    toolResult,
    tools: Object.fromEntries(
      functions.map(({ name, description = '', inputSchema }) => [
        name,
        tool({ description, inputSchema: jsonSchema(inputSchema) }),
      ]),
    ),
  }
}

/** The least that gives the same conversation: one `streamText` for each step, until the answer. Returns the steps. */
export async function runBareSteps(model: InstantModel, conversation: Conversation): Promise<number> {
  const { instructions, tools, prompt, toolResult } = conversation
  const messages: ModelMessage[] = [{ role: 'user', content: prompt }]
  for (let steps = 1; ; steps += 1) {
    const result = streamText({ model, instructions, messages, tools })
    for await (const _ of result.stream);
    messages.push(...(await result.response).messages)
    const [call] = await result.toolCalls
    if (call === undefined || call.toolName === 'final_result') return steps
    const { toolCallId, toolName } = call
    const output = { type: 'text', value: toolResult } as const
    messages.push({ role: 'tool', content: [{ type: 'tool-result', toolCallId, toolName, output }] })
  }
}

function textOf(part: unknown): string[] {
  const { text, output } = part as { text?: unknown; output?: { value?: unknown } }
  const value = text ?? output?.value
  return typeof value === 'string' ? [value] : []
}
