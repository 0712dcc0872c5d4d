import { CmdopError } from '@cmdop/protocol'
import type { Checked, OutputSchema } from '../output/output-schema.ts'
import { salvageJson } from '../output/salvage.ts'
import type { ProposedCall } from '../model/model-step.ts'
import type { OutputStrategy, ToolCallRecord } from './run-result.ts'

/** Judges what a model offers as its answer, and counts: every form of a wrong answer uses the same few repairs. */
export interface AnswerDesk {
  readonly attempts: number
  /** For another answer that the same run asks for before its own, with repairs of its own; its attempts count here too. */
  forSchema(schema: OutputSchema): AnswerDesk
  /** A call of `final_result`. `calls`: what the run has done so far. */
  offerCall(call: Pick<ProposedCall, 'input' | 'unreadable'>, calls: readonly ToolCallRecord[]): Promise<Verdict>
  /** The text of a step that called nothing. */
  offerText(text: string, calls: readonly ToolCallRecord[]): Promise<Verdict>
  /** A step that ended without what had to come first. It counts as an answer that does not fit. */
  refuse(issue: string): Verdict
}

/** The answer, or what to tell the model so that its next one fits. */
export type Verdict =
  | { readonly accepted: true; readonly output: unknown; readonly strategy: OutputStrategy; readonly beside: Beside }
  | { readonly accepted: false; readonly reply: string }

/** What came beside an answer, by name. */
export type Beside = Readonly<Record<string, unknown>>

/** The name of the tool whose input is the answer. */
export const finalResult = 'final_result'

/**
 * A desk for one run. Without a schema any text that is not empty is the answer. The offer after the last repair throws
 * `output_invalid` with the issues.
 */
export function createAnswerDesk(
  schema: OutputSchema | undefined,
  maxRepairs: number,
  counted: () => void = () => undefined,
): AnswerDesk {
  let attempts = 0
  let others = 0
  const count = (): void => {
    attempts++
    counted()
  }
  const reject = (issues: readonly string[], reply: string): Verdict => {
    if (attempts <= maxRepairs) return { accepted: false, reply }
    throw new CmdopError(
      'output_invalid',
      `The model gave no answer that fits the schema in ${attempts} attempts. The last one: ${issues.join('; ')}.`,
      { details: { attempts, issues } },
    )
  }
  return {
    get attempts() {
      return attempts + others
    },
    forSchema: (other) => createAnswerDesk(other, maxRepairs, () => void others++),
    refuse: (issue) => {
      count()
      return reject([issue], issue)
    },
    offerCall: async ({ input, unreadable }, calls) => {
      count()
      // Arguments that are almost JSON are put right before another call of the model is spent.
      const candidates = unreadable && typeof input === 'string' ? salvageJson(input) : [input]
      const checked = schema === undefined ? undefined : await firstFit(schema, candidates, calls)
      const strategy = unreadable ? 'salvaged' : finalResult
      if (checked?.fits === true) return { accepted: true, output: checked.value, strategy, beside: checked.beside }
      const broken = unreadable ? ['the arguments are not JSON'] : ['there is no final_result in this run']
      const issues = checked?.issues ?? broken
      return reject(
        issues,
        `The answer does not fit the schema:\n${list(issues)}\nCall ${finalResult} again with all of it put right.`,
      )
    },
    offerText: async (text, calls) => {
      count()
      if (schema === undefined) {
        if (text.trim() !== '') return { accepted: true, output: text, strategy: 'text', beside: {} }
        return reject(['an empty text'], 'You ended without a word. Say in text what you found.')
      }
      const salvaged = await firstFit(schema, salvageJson(text), calls)
      if (salvaged?.fits === true) {
        return { accepted: true, output: salvaged.value, strategy: 'salvaged', beside: salvaged.beside }
      }
      const issues = salvaged?.issues ?? ['a text without JSON, not a call of final_result']
      const found = salvaged === undefined ? '' : ` The JSON in your text does not fit:\n${list(issues)}`
      return reject(issues, `You ended in text.${found}\nGive your answer by calling the tool ${finalResult}.`)
    },
  }
}

async function firstFit(
  schema: OutputSchema,
  candidates: readonly unknown[],
  calls: readonly ToolCallRecord[],
): Promise<Checked | undefined> {
  let first: Checked | undefined
  for (const candidate of candidates) {
    const checked = await schema.check(candidate, calls)
    if (checked.fits) return checked
    first ??= checked
  }
  return first
}

function list(issues: readonly string[]): string {
  return issues.map((issue) => `- ${issue}`).join('\n')
}
