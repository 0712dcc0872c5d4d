import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { CmdopError } from '@cmdop/protocol'
import type { JsonSchema } from '../output/json-schema.ts'
import { lastResult, question, unfenced } from './conversation.ts'
import { fill } from './fill.ts'
import type { Filling } from './filling.ts'
import { judgeHealth } from './health.ts'
import { machineReadings } from './machine-readings.ts'
import type { ShownFacts } from './shown-facts.ts'

const factsTool = 'facts'
const answerTool = 'final_result'

/**
 * The built-in model, for a machine without a model provider: it reads the tool `facts`, fills the schema of
 * `final_result` from it, and refuses everything else. It sees what any model sees (the conversation and the tools),
 * computes nothing at random, sends nothing anywhere, and changes nothing on a machine.
 */
export function createFactsModel(): LanguageModelV4 {
  return {
    specificationVersion: 'v4',
    provider: 'cmdop',
    modelId: 'facts',
    supportedUrls: {},
    doGenerate: () => Promise.reject(new CmdopError('unsupported', 'The built-in facts model only streams.')),
    doStream: async (options) => ({ stream: ReadableStream.from(answer(options)) }),
  }
}

function answer(options: LanguageModelV4CallOptions): LanguageModelV4StreamPart[] {
  const schema = inputSchema(options, answerTool)
  if (schema === undefined) throw refusal('it gives no free text; ask for an outputSchema of readings', {})
  const rejected = lastResult(options.prompt, answerTool)
  if (rejected !== undefined) throw refusal(`its readings do not fit the schema (${rejected.text})`, {})
  const read = lastResult(options.prompt, factsTool)
  if (read?.isError === true) throw refusal(`the facts could not be read (${read.text})`, {})
  if (read !== undefined) return final(schema, JSON.parse(unfenced(read.text)) as ShownFacts, question(options.prompt))
  if (inputSchema(options, factsTool) === undefined)
    throw refusal('it has no tool to read the facts with; let it have facts among the built-in tools', {})
  return parts(factsTool, { limit: 1000 }, '')
}

function final(schema: JsonSchema, facts: ShownFacts, asked: string): LanguageModelV4StreamPart[] {
  const health = judgeHealth(facts)
  const filling = fill(schema, machineReadings(facts, health))
  if (!filling.filled) throw refusedFields(filling, facts)
  const onlyReads = actions.test(asked) ? ' This model only reads: nothing was changed on the machine.' : ''
  const partial =
    facts.processes && /process/i.test(JSON.stringify(schema))
      ? ` Of ${facts.processes.total} processes the facts have the ${facts.processes.top.length} busiest.`
      : ''
  const text = `Read from the facts of ${facts.hostname} at ${facts.collectedAt}. ${health.summary}${partial}${onlyReads}`
  return parts(answerTool, filling.value, text)
}

/** Words of a prompt that ask for more than a reading. */
const actions =
  /\b(restart|reboot|shut ?down|install|uninstall|delete|remove|clean|fix|repair|remediate|resolve|deploy|update|upgrade|kill|stop|start|create|write|change|edit|configure|enable|disable|roll ?back|free up|run|execute|move|copy)\b/i

function refusedFields(filling: Extract<Filling, { filled: false }>, facts: ShownFacts): CmdopError {
  const { foreign, unreadable } = filling
  const reasons = unreadable.map(({ field, fact }) => {
    const reason = facts.unavailable?.find((each) => each.fact === fact || each.fact.startsWith(`${fact}.`))?.reason
    return `${field} (${reason ?? `the machine gave no ${fact}`})`
  })
  const because = [
    ...(foreign.length === 0 ? [] : [`no fact of a machine answers ${foreign.join(', ')}`]),
    ...(reasons.length === 0 ? [] : [`these could not be read: ${reasons.join(', ')}`]),
  ]
  return refusal(because.join('; '), {
    fields: [...foreign, ...unreadable.map(({ field }) => field)],
    foreign,
    unreadable,
  })
}

function refusal(because: string, details: Record<string, unknown>): CmdopError {
  const settings = ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'CMDOP_MODEL_BASE_URL']
  return new CmdopError(
    'model_refused',
    `The built-in facts model refused: ${because}. For a language model set ANTHROPIC_API_KEY, OPENAI_API_KEY or CMDOP_MODEL_BASE_URL.`,
    { details: { ...details, settings } },
  )
}

function inputSchema({ tools }: LanguageModelV4CallOptions, name: string): JsonSchema | undefined {
  const tool = tools?.find((each) => each.name === name)
  return tool?.type === 'function' ? tool.inputSchema : undefined
}

/** One step: a text, if there is one, and one call. It costs no tokens. */
function parts(toolName: string, input: unknown, text: string): LanguageModelV4StreamPart[] {
  const none = { total: 0, noCache: 0, cacheRead: 0, cacheWrite: 0 }
  return [
    { type: 'stream-start', warnings: [] },
    ...(text === ''
      ? []
      : ([
          { type: 'text-start', id: 'text' },
          { type: 'text-delta', id: 'text', delta: text },
          { type: 'text-end', id: 'text' },
        ] as const)),
    { type: 'tool-call', toolCallId: `facts-model-${toolName}`, toolName, input: JSON.stringify(input) },
    {
      type: 'finish',
      finishReason: { unified: 'tool-calls', raw: 'tool-calls' },
      usage: { inputTokens: none, outputTokens: { total: 0, text: 0, reasoning: 0 } },
    },
  ]
}
