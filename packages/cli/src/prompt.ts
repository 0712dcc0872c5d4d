import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { CmdopError } from '@cmdop/protocol'

/** A line that a person types, or that a pipe holds. What is asked goes to stderr. */
export async function askFor(question: string, signal: AbortSignal): Promise<string> {
  return answerTo(question, () => ask(question, signal))
}

/** {@link askFor} for a secret: on a terminal, what is typed is not shown. */
export async function askForSecret(question: string, signal: AbortSignal): Promise<string> {
  return answerTo(question, () => (process.stdin.isTTY ? askUnseen(question, signal) : ask(question, signal)))
}

async function answerTo(question: string, read: () => Promise<string>): Promise<string> {
  const answer = await read().catch((cause: unknown) => {
    throw new CmdopError('cancelled', 'Nothing was typed.', { cause })
  })
  if (answer.trim() !== '') return answer.trim()
  throw new CmdopError('config', `Expected an answer to "${question.trim()}".`)
}

async function ask(question: string, signal: AbortSignal): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false })
  try {
    return await lines.question(question, { signal })
  } finally {
    lines.close()
  }
}

/** The terminal is raw meanwhile, so it echoes nothing; what would be shown instead goes nowhere. */
async function askUnseen(question: string, signal: AbortSignal): Promise<string> {
  const nowhere = new Writable({ write: (_text, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 })
  const left = new AbortController()
  // A raw terminal makes no signal of Ctrl-C.
  lines.once('close', () => left.abort())
  process.stderr.write(question)
  try {
    return await lines.question('', { signal: AbortSignal.any([signal, left.signal]) })
  } finally {
    lines.close()
    process.stderr.write('\n')
  }
}
