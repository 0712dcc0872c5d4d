import { type ErrorCode, isCmdopError } from '@cmdop/protocol'
import { boundedText } from '../bounded-text.ts'
import type { ToolContext, ToolOutcome } from '../tool.ts'

/** Failures that repeat words of a skill, or names of files in its folder: both are somebody else's. */
const ofSkills: ReadonlySet<ErrorCode> = new Set([
  'validation',
  'integrity',
  'not_found',
  'conflict',
  'command_not_found',
  'unsupported',
  'skill_failed',
])

/** Bytes of such a failure that a model reads at most. */
const SHOWN_BYTES = 2_000

/** What went wrong with a skill, marked as the data that it is. Throws every other failure as it is. */
export function enclosedFailure(
  error: unknown,
  { fence, redactor, limitBytes }: Pick<ToolContext, 'fence' | 'redactor' | 'limitBytes'>,
): ToolOutcome {
  if (!isCmdopError(error) || !ofSkills.has(error.code)) throw error
  const data = Buffer.from(redactor.text(error.message))
  const { text, shownBytes } = boundedText(data, data.length, Math.min(limitBytes, SHOWN_BYTES))
  return {
    text: `${error.code}:\n${fence.enclose('what is wrong with a skill', text)}`,
    shownBytes,
    output: `${error.code}: ${text}`,
    failed: error.code,
  }
}
