import { createInterface } from 'node:readline/promises'
import { CmdopError } from '@cmdop/protocol'

/** A line that a person types, or that a pipe holds. What is asked goes to stderr. */
export async function askFor(question: string, signal: AbortSignal): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false })
  try {
    const answer = (await lines.question(question, { signal })).trim()
    if (answer !== '') return answer
  } catch (cause) {
    throw new CmdopError('cancelled', 'Nothing was typed.', { cause })
  } finally {
    lines.close()
  }
  throw new CmdopError('config', `Expected an answer to "${question.trim()}".`)
}
