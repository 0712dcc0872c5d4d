import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4FinishReason } from '@ai-sdk/provider'
import { stepStream } from './step-stream.ts'
import { type SeenStep, seenStep } from './seen-step.ts'

/** One step of a script: what the model sees is checked, then it says what is written here. */
export interface ScriptedStep {
  /** Throws for a conversation that is not the expected one; the run fails, and so does `assertComplete`. */
  readonly expect?: (seen: SeenStep) => void
  /** A list comes piece by piece. */
  readonly thinking?: string | readonly string[]
  readonly text?: string
  readonly calls?: readonly ScriptedCall[]
  /** Thrown instead of an answer. */
  readonly error?: unknown
  /** Says what is written, then nothing more until the run is stopped. */
  readonly hangs?: boolean
  /** Default: `tool-calls` with calls, `stop` without. */
  readonly finishReason?: LanguageModelV4FinishReason['unified']
  /** Default: 10 in, 5 out. null: it reports none. */
  readonly tokens?: { readonly input: number; readonly output: number } | null
}

/** A tool call of a script. */
export interface ScriptedCall {
  readonly tool: string
  /** A string is sent as it is, to script arguments that are not JSON. */
  readonly input: unknown
  /** Default: unique in the script. */
  readonly id?: string
}

/** A model that follows a script and fails on every step that is not in it. */
export interface ScriptedModel extends LanguageModelV4, Disposable {
  /** What the model saw, by step. */
  readonly seen: readonly SeenStep[]
  /** Throws when steps are left over, when one came that was not expected, or when an `expect` failed. */
  assertComplete(): void
}

/**
 * A scripted AI SDK model, in process. Declare it with `using`: at the end of its scope it asserts that the script was
 * followed to its end.
 */
export function scriptedModel(steps: readonly ScriptedStep[]): ScriptedModel {
  const seen: SeenStep[] = []
  const failures: unknown[] = []
  const assertComplete = (): void => {
    if (failures.length > 0) throw failures[0]
    if (seen.length < steps.length)
      throw new Error(`The script has ${steps.length} steps; the run took ${seen.length}.`)
  }
  const take = (options: LanguageModelV4CallOptions): ScriptedStep => {
    const index = seen.push(seenStep(options)) - 1
    const [step, current] = [steps[index], seen[index]]
    try {
      if (step === undefined || current === undefined)
        throw new Error(`The script has ${steps.length} steps; the run asked for another.`)
      step.expect?.(current)
      return step
    } catch (error) {
      failures.push(error)
      throw error
    }
  }
  return {
    specificationVersion: 'v4',
    provider: 'scripted',
    modelId: 'scripted',
    supportedUrls: {},
    seen,
    assertComplete,
    [Symbol.dispose]: assertComplete,
    doGenerate: () => Promise.reject(new Error('The scripted model only streams.')),
    doStream: async (options) => {
      const step = take(options)
      if (step.error !== undefined) throw step.error
      return { stream: stepStream(step, seen.length, options.abortSignal) }
    },
  }
}
