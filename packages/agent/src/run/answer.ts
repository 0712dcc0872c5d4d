import { CmdopError } from '@cmdop/protocol'
import type { Checked, OutputSchema } from '../output/output-schema.ts'
import { salvageJson } from '../output/salvage.ts'
import type { OutputStrategy } from './run-result.ts'

/** Judges what a model offers as its answer, and counts: every form of a wrong answer uses the same few repairs. */
export interface AnswerDesk {
  readonly attempts: number
  /** The input of a `final_result` call. */
  offerCall(input: unknown): Promise<Verdict>
  /** The text of a step that called nothing. */
  offerText(text: string): Promise<Verdict>
}

/** The answer, or what to tell the model so that its next one fits. */
export type Verdict =
  | { readonly accepted: true; readonly output: unknown; readonly strategy: OutputStrategy }
  | { readonly accepted: false; readonly reply: string }

/** The name of the tool whose input is the answer. */
export const finalResult = 'final_result'

/**
 * A desk for one run. Without a schema any text that is not empty is the answer. The offer after the last repair throws
 * `output_invalid` with the issues.
 */
export function createAnswerDesk(schema: OutputSchema | undefined, maxRepairs: number): AnswerDesk {
  let attempts = 0
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
      return attempts
    },
    offerCall: async (input) => {
      attempts++
      const checked = await schema?.check(input)
      if (checked?.fits === true) return { accepted: true, output: checked.value, strategy: finalResult }
      const issues = checked?.issues ?? ['there is no final_result in this run']
      return reject(
        issues,
        `The answer does not fit the schema:\n${list(issues)}\nCall ${finalResult} again with all of it put right.`,
      )
    },
    offerText: async (text) => {
      attempts++
      if (schema === undefined) {
        if (text.trim() !== '') return { accepted: true, output: text, strategy: 'text' }
        return reject(['an empty text'], 'You ended without a word. Say in text what you found.')
      }
      const salvaged = await firstFit(schema, salvageJson(text))
      if (salvaged?.fits === true) return { accepted: true, output: salvaged.value, strategy: 'salvaged' }
      const issues = salvaged?.issues ?? ['a text without JSON, not a call of final_result']
      const found = salvaged === undefined ? '' : ` The JSON in your text does not fit:\n${list(issues)}`
      return reject(issues, `You ended in text.${found}\nGive your answer by calling the tool ${finalResult}.`)
    },
  }
}

async function firstFit(schema: OutputSchema, candidates: readonly unknown[]): Promise<Checked | undefined> {
  let first: Checked | undefined
  for (const candidate of candidates) {
    const checked = await schema.check(candidate)
    if (checked.fits) return checked
    first ??= checked
  }
  return first
}

function list(issues: readonly string[]): string {
  return issues.map((issue) => `- ${issue}`).join('\n')
}
