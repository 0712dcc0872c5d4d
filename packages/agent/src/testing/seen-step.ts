import type { LanguageModelV4CallOptions, LanguageModelV4ToolResultOutput } from '@ai-sdk/provider'

/** What a model was shown in one step. */
export interface SeenStep {
  /** The instructions before the conversation. */
  readonly instructions: string
  /** The texts of the caller, in order; the first holds the prompt. */
  readonly userTexts: readonly string[]
  /** The results of all tool calls so far, in order. */
  readonly toolResults: readonly SeenToolResult[]
  /** Names of the tools it may call. */
  readonly tools: readonly string[]
  /** The input schema of a tool, as JSON Schema. */
  readonly schemas: Readonly<Record<string, unknown>>
  /** Everything, as the SDK gives it. */
  readonly options: LanguageModelV4CallOptions
}

/** The result of a tool call as a model reads it. */
export interface SeenToolResult {
  readonly tool: string
  readonly toolCallId: string
  readonly text: string
  readonly isError: boolean
}

/** Takes the parts out of a call that a script wants to check. */
export function seenStep(options: LanguageModelV4CallOptions): SeenStep {
  const { prompt, tools = [] } = options
  const functions = tools.flatMap((tool) => (tool.type === 'function' ? [tool] : []))
  return {
    instructions: prompt.flatMap((message) => (message.role === 'system' ? [message.content] : [])).join('\n'),
    userTexts: prompt.flatMap((message) =>
      message.role === 'user' ? [message.content.map((part) => (part.type === 'text' ? part.text : '')).join('')] : [],
    ),
    toolResults: prompt.flatMap((message) =>
      message.role === 'tool'
        ? message.content.flatMap((part) => (part.type === 'tool-result' ? [toolResult(part)] : []))
        : [],
    ),
    tools: functions.map((tool) => tool.name),
    schemas: Object.fromEntries(functions.map((tool) => [tool.name, tool.inputSchema])),
    options,
  }
}

function toolResult(part: {
  toolName: string
  toolCallId: string
  output: LanguageModelV4ToolResultOutput
}): SeenToolResult {
  const { output, toolName: tool, toolCallId } = part
  const value: unknown = 'value' in output ? output.value : output.reason
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return { tool, toolCallId, text, isError: output.type.startsWith('error') }
}
