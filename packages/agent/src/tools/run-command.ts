import type { ExecError, ExecResult } from '@cmdop/core'
import { isCmdopError } from '@cmdop/protocol'
import * as z from 'zod/v4'
import { boundedText } from './bounded-text.ts'
import { defineTool, type ToolContext, type ToolOutcome } from './tool.ts'

/** Seconds a command may take when the model sets no other. */
const defaultTimeoutSeconds = 120

const Input = z.object({
  command: z
    .union([z.array(z.string()).min(1), z.string().min(1)])
    .describe(
      'An array is run as it is, program first: ["df", "-h"]. A string runs under /bin/sh -c, for pipes; the directory it ends in and the variables it exports carry over to the next string.',
    ),
  cwd: z
    .string()
    .optional()
    .describe(
      'Absolute directory to run this command in. Default: where the last string ended, at first the home directory.',
    ),
  timeoutSeconds: z.number().positive().max(3600).optional().describe('Default 120. The command is stopped after it.'),
})

/** Runs one command on the machine. An exit code other than 0 is a result, not an error. */
export const runCommand = defineTool({
  name: 'run_command',
  description:
    'Runs a command on the machine and gives its exit code, standard output and standard error. Long output is cut in its middle.',
  input: Input,
  run: async ({ command, cwd, timeoutSeconds = defaultTimeoutSeconds }, context) => {
    const execution = context.workplace.run(command, {
      signal: context.signal,
      deadlineMs: Math.ceil(timeoutSeconds * 1000),
      maxOutputBytes: context.limitBytes,
      ...(cwd === undefined ? {} : { cwd }),
    })
    return execution.then(
      (result) => outcome(result, context),
      (error: unknown) => stoppedOutcome(error, context, timeoutSeconds),
    )
  },
})

/** What a command put out until it was stopped is shown too: a check that hangs says where. Rethrows every other error. */
function stoppedOutcome(error: unknown, context: ToolContext, timeoutSeconds: number): ToolOutcome {
  const result = isDeadline(error) ? error.result : undefined
  if (result === undefined) throw error
  const { text, ...rest } = outcome(result, context)
  return { ...rest, text: `stopped after ${timeoutSeconds} s, it had not ended: ${text}` }
}

function isDeadline(error: unknown): error is ExecError {
  return isCmdopError(error) && error.code === 'deadline' && 'result' in error
}

/** Standard error gets up to a quarter of the room, and more where standard output leaves it. */
function outcome(result: ExecResult, { fence, limitBytes }: ToolContext): ToolOutcome {
  const errorRoom = Math.max(Math.floor(limitBytes / 4), limitBytes - result.stdoutBytes)
  const stderr = boundedText(result.stderrData, result.stderrBytes, errorRoom)
  const stdout = boundedText(
    result.stdoutData,
    result.stdoutBytes,
    limitBytes - Math.min(result.stderrBytes, errorRoom),
  )
  const end = result.signal === null ? `exit code ${result.exitCode}` : `ended by ${result.signal}`
  const lines = [`${end}, ${Math.round(result.durationMs)} ms`]
  if (result.stdoutBytes > 0) lines.push(fence.enclose(`stdout, ${result.stdoutBytes} bytes`, stdout.text))
  if (result.stderrBytes > 0) lines.push(fence.enclose(`stderr, ${result.stderrBytes} bytes`, stderr.text))
  if (result.stdoutBytes + result.stderrBytes === 0) lines.push('no output')
  return {
    text: lines.join('\n'),
    shownBytes: stdout.shownBytes + stderr.shownBytes,
    output: {
      exitCode: result.exitCode,
      signal: result.signal,
      stdout: stdout.text,
      stderr: stderr.text,
      stdoutBytes: result.stdoutBytes,
      stderrBytes: result.stderrBytes,
      truncated: stdout.truncated || stderr.truncated,
      durationMs: result.durationMs,
    },
  }
}
