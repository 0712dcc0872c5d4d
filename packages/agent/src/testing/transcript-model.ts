import type { LanguageModelV4 } from '@ai-sdk/provider'
import type { ServerRequest } from './model-server.ts'
import type { ScriptedCall, ScriptedStep } from './scripted-model.ts'
import { contextIn, dataIn, seenStep } from './seen-step.ts'
import { stepStream } from './step-stream.ts'
import type { ServerTurn } from './wires/wire.ts'

/** What a model has been told and shown so far. */
export interface Transcript {
  /** The first text of the caller: the prompt, and the context as data. */
  readonly prompt: string
  /** `context` of the run; undefined without one. */
  readonly context: unknown
}

/** What a tool gave. */
export interface TranscriptResult {
  /** As the model reads it. A command begins with how it ended: `exit code 0`. */
  readonly text: string
  /** What of the text is data: the output of a command, a file, facts as JSON. One after the other where there are several. */
  readonly data: string
  /** Not every provider's wire has it: false there. */
  readonly isError: boolean
}

/** Calls, each of which gives its result, and at the end an answer. */
export type TranscriptWork<Answer = unknown> = Generator<ScriptedCall, Answer, TranscriptResult>

/**
 * How a model works: `const result = yield call` makes a call and has its result; what it returns is the answer, through
 * `final_result` where there is a schema, in text where there is none. It decides by what it was shown and by nothing else: it is begun
 * anew at each step, and given the results that are there already.
 */
export type TranscriptScript = (transcript: Transcript) => TranscriptWork

/** A model that is a function of its transcript. */
export interface TranscriptModel extends LanguageModelV4 {
  readonly script: TranscriptScript
}

/**
 * A model that is a function of its transcript, in process: what it does next follows from what the tools have shown. Unlike
 * a `scriptedModel` it meets a machine in whatever state that is, serves any number of runs, and has nothing to assert.
 */
export function transcriptModel(script: TranscriptScript): TranscriptModel {
  return {
    specificationVersion: 'v4',
    provider: 'transcript',
    modelId: 'transcript',
    supportedUrls: {},
    script,
    doGenerate: () => Promise.reject(new Error('The model of a transcript only streams.')),
    doStream: async (options) => {
      const { userTexts, toolResults, tools } = seenStep(options)
      const step = nextStep(script, { userTexts, toolResults, tools })
      return { stream: stepStream(step, toolResults.length + 1, options.abortSignal) }
    },
  }
}

/** The same behind a provider's wire: `startModelServer(transcriptTurns(script))`. */
export function transcriptTurns(script: TranscriptScript): (request: ServerRequest) => ServerTurn {
  return ({ userTexts, toolResults, tools }) => {
    const results = toolResults.map((text) => ({ text, data: dataIn(text), isError: false }))
    const { text, calls } = nextStep(script, { userTexts, toolResults: results, tools })
    return { ...(text === undefined ? {} : { text }), ...(calls === undefined ? {} : { calls }) }
  }
}

interface Seen {
  readonly userTexts: readonly string[]
  /** `tool`: where it is known whose result it is. */
  readonly toolResults: readonly (TranscriptResult & { readonly tool?: string })[]
  readonly tools: readonly string[]
}

/** What it says next. Throws when the script has called other tools before than the transcript has. */
function nextStep(
  script: TranscriptScript,
  { userTexts, toolResults, tools }: Seen,
): Pick<ScriptedStep, 'text' | 'calls'> {
  const [prompt = ''] = userTexts
  const work = script({ prompt, context: contextIn(prompt) })
  let said = work.next()
  for (const result of toolResults) {
    // An answer that did not fit stands at the end, and is given again.
    if (said.done === true) break
    if (result.tool !== undefined && said.value.tool !== result.tool)
      throw new Error(`The script calls ${said.value.tool} where the transcript has ${result.tool}.`)
    said = work.next(result)
  }
  if (said.done !== true) return { calls: [said.value] }
  if (!tools.includes('final_result'))
    return { text: typeof said.value === 'string' ? said.value : JSON.stringify(said.value) }
  return { calls: [{ tool: 'final_result', input: asToolInput(said.value) }] }
}

/** Providers take only objects as the input of a tool: a list or a single value is the field `result` of one. */
function asToolInput(answer: unknown): unknown {
  return typeof answer === 'object' && answer !== null && !Array.isArray(answer) ? answer : { result: answer }
}
