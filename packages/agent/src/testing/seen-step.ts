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
  /** What of the text is data: the output of a command, a file, facts as JSON. One after the other where there are several. */
  readonly data: string
  readonly isError: boolean
}

/** Takes the parts out of a call that a script wants to check. */
export function seenStep(options: LanguageModelV4CallOptions): SeenStep {
  const { prompt, tools = [] } = options
  const userTexts = prompt.flatMap((message) =>
    message.role === 'user' ? [message.content.map((part) => (part.type === 'text' ? part.text : '')).join('')] : [],
  )
  const functions = tools.flatMap((tool) => (tool.type === 'function' ? [tool] : []))
  return {
    instructions: prompt.flatMap((message) => (message.role === 'system' ? [message.content] : [])).join('\n'),
    userTexts,
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
  return { tool, toolCallId, text, data: dataIn(text), isError: output.type.startsWith('error') }
}

/** The context that stands as data behind a prompt; undefined without one. */
export function contextIn(text: string): unknown {
  const [, , json] = /<data-(\w+) source="context">\n([\s\S]*)\n<\/data-\1>/.exec(text) ?? []
  return json === undefined ? undefined : JSON.parse(json)
}

/** What stands between the marks of data. */
export function dataIn(text: string): string {
  return Array.from(text.matchAll(/<data-(\w+)[^>]*>\n([\s\S]*?)\n<\/data-\1>/g), ([, , data = '']) => data).join('\n')
}
