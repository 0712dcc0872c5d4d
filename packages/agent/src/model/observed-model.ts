import type { LanguageModelV4, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import type { LanguageModel } from 'ai'

/** An AI SDK model object, of any version of its specification that the SDK takes. Never a name: see `resolveModel`. */
export type ModelObject = Exclude<LanguageModel, string>

/**
 * The same model, with its stream watched: `onPart` is called for every part the provider sends, keep-alive pings
 * included. Warnings are taken out, because the SDK prints them and a library must not; the alternative is a global.
 */
export function observedModel(model: ModelObject, onPart: () => void): ModelObject {
  const doStream = async (options: Parameters<LanguageModelV4['doStream']>[0]) => {
    const answer = await (model as LanguageModelV4).doStream(options)
    onPart()
    return { ...answer, stream: observed(answer.stream, onPart) }
  }
  // A proxy, not a copy: models are class instances with getters and private fields.
  return new Proxy(model, {
    get: (target, property) => {
      if (property === 'doStream') return doStream
      const value: unknown = Reflect.get(target, property, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function observed(
  stream: ReadableStream<LanguageModelV4StreamPart>,
  onPart: () => void,
): ReadableStream<LanguageModelV4StreamPart> {
  const reader = stream.getReader()
  return new ReadableStream(
    {
      pull: async (controller) => {
        const { done, value } = await reader.read()
        if (done) return controller.close()
        onPart()
        controller.enqueue(value.type === 'stream-start' ? { ...value, warnings: [] } : value)
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}
