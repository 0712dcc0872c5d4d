import type { LanguageModelV4CallOptions, LanguageModelV4ToolResultOutput } from '@ai-sdk/provider'

/** The last result of a tool in a conversation. */
export interface SeenResult {
  readonly text: string
  readonly isError: boolean
}

/** The last result of the tool, as the model reads it, or undefined if there is none. */
export function lastResult(prompt: LanguageModelV4CallOptions['prompt'], tool: string): SeenResult | undefined {
  for (const message of prompt.toReversed()) {
    if (message.role !== 'tool') continue
    for (const part of message.content.toReversed()) {
      if (part.type === 'tool-result' && part.toolName === tool) return seen(part.output)
    }
  }
  return undefined
}

function seen(output: LanguageModelV4ToolResultOutput): SeenResult {
  const isError = output.type === 'error-text' || output.type === 'error-json' || output.type === 'execution-denied'
  const value: unknown = 'value' in output ? output.value : (output.reason ?? '')
  return { isError, text: typeof value === 'string' ? value : JSON.stringify(value) }
}

/** What the caller asked, without the data that came with it. */
export function question(prompt: LanguageModelV4CallOptions['prompt']): string {
  const first = prompt.find((message) => message.role === 'user')
  const text = first?.content.map((part) => (part.type === 'text' ? part.text : '')).join('\n') ?? ''
  return text.replace(/<data-(\w+)[^>]*>[\s\S]*?<\/data-\1>/g, '')
}

/** What stands between the marks of data. */
export function unfenced(text: string): string {
  return /<data-(\w+)[^>]*>\n([\s\S]*)\n<\/data-\1>/.exec(text)?.[2] ?? text
}
