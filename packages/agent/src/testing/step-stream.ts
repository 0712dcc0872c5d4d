import type { LanguageModelV4StreamPart } from '@ai-sdk/provider'
import type { ScriptedStep } from './scripted-model.ts'

/** What a model says in a step, part by part. `number`: of the step, for the ids of its calls. */
export function stepStream(
  step: ScriptedStep,
  number: number,
  signal: AbortSignal | undefined,
): ReadableStream<LanguageModelV4StreamPart> {
  const parts = partsOf(step, number)
  return new ReadableStream(
    {
      pull: (controller) => {
        const { done, value } = parts.next()
        if (done !== true) return controller.enqueue(value)
        if (step.hangs !== true) return controller.close()
        return new Promise<void>((resolve) => {
          const stop = (): void => {
            controller.error(signal?.reason)
            resolve()
          }
          if (signal?.aborted) stop()
          else signal?.addEventListener('abort', stop, { once: true })
        })
      },
    },
    { highWaterMark: 0 },
  )
}

function* partsOf(step: ScriptedStep, number: number): Generator<LanguageModelV4StreamPart> {
  const { thinking, text, calls = [], hangs, tokens = { input: 10, output: 5 } } = step
  yield { type: 'stream-start', warnings: [] }
  if (thinking !== undefined) {
    yield { type: 'reasoning-start', id: 'thinking' }
    for (const delta of [thinking].flat()) yield { type: 'reasoning-delta', id: 'thinking', delta }
    yield { type: 'reasoning-end', id: 'thinking' }
  }
  if (text !== undefined) {
    yield { type: 'text-start', id: 'text' }
    yield { type: 'text-delta', id: 'text', delta: text }
    yield { type: 'text-end', id: 'text' }
  }
  for (const [index, { tool, input, id = `call-${number}-${index + 1}` }] of calls.entries()) {
    const json = typeof input === 'string' ? input : JSON.stringify(input)
    yield { type: 'tool-call', toolCallId: id, toolName: tool, input: json }
  }
  if (hangs === true) return
  const unified = step.finishReason ?? (calls.length > 0 ? 'tool-calls' : 'stop')
  const count = (total: number | undefined) => ({ total, noCache: total, cacheRead: undefined, cacheWrite: undefined })
  yield {
    type: 'finish',
    finishReason: { unified, raw: unified },
    usage: {
      inputTokens: count(tokens?.input),
      outputTokens: { total: tokens?.output, text: tokens?.output, reasoning: undefined },
    },
  }
}
