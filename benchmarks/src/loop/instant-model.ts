import type { LanguageModel } from 'ai'

/** An AI SDK model of the current specification. */
export type InstantModel = Extract<LanguageModel, { specificationVersion: 'v4' }>
export type CallOptions = Parameters<InstantModel['doStream']>[0]
type StreamPart =
  Awaited<ReturnType<InstantModel['doStream']>>['stream'] extends ReadableStream<infer Part> ? Part : never

/** The input of the one command that the model asks for, step after step. */
export const COMMAND_INPUT = { command: ['true'] }

/** A model in process that answers at once: `steps - 1` times with a tool call, then with the answer. */
export function createInstantModel(steps: number, see: (options: CallOptions) => void = () => {}): InstantModel {
  let step = 0
  return {
    specificationVersion: 'v4',
    provider: 'bench',
    modelId: 'instant',
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error('The instant model only streams.')),
    doStream: async (options) => {
      see(options)
      step += 1
      const parts =
        step < steps ? callOf('run_command', COMMAND_INPUT, step) : callOf('final_result', { ok: true }, step)
      return { stream: streamOf(parts) }
    },
  }
}

function callOf(toolName: string, input: unknown, step: number): StreamPart[] {
  const count = { total: 10, noCache: 10, cacheRead: undefined, cacheWrite: undefined }
  return [
    { type: 'stream-start', warnings: [] },
    { type: 'tool-call', toolCallId: `call-${step}`, toolName, input: JSON.stringify(input) },
    {
      type: 'finish',
      finishReason: { unified: 'tool-calls', raw: 'tool_use' },
      usage: { inputTokens: count, outputTokens: { total: 5, text: 5, reasoning: undefined } },
    },
  ]
}

function streamOf(parts: readonly StreamPart[]): ReadableStream<StreamPart> {
  return new ReadableStream({
    start: (controller) => {
      for (const part of parts) controller.enqueue(part)
      controller.close()
    },
  })
}
