import type { ExecExit } from '@cmdop/core'
import { isCmdopError, isErrorCode } from '@cmdop/protocol'
import * as z from 'zod/v4'
import type { KeptOutput } from '../context/kept-output.ts'
import type { Running } from '../run/workplace.ts'
import { type RefusedEffect, refusedEffectOf, refusedText } from './refused-effect.ts'
import { shownOutput } from './shown-output.ts'
import { defineTool, type OutputChunk, type ToolContext, type ToolOutcome } from './tool.ts'

/** Seconds a command may take when the model sets no other. */
const defaultTimeoutSeconds = 120

/** What a model reads of a command, where it goes on from the one before, and where it does not. */
const inputOf = ({ after, begins }: { after: string; begins: string }) =>
  z.object({
    command: z
      .union([z.array(z.string()).min(1), z.string().min(1)])
      .describe(
        `An array is run as it is, program first: ["df", "-h"]. A string runs under /bin/sh -c, for pipes${after}.`,
      ),
    cwd: z.string().optional().describe(`Absolute directory to run this command in. Default: ${begins}.`),
    timeoutSeconds: z
      .number()
      .positive()
      .max(3600)
      .optional()
      .describe('Default 120. The command is stopped after it.'),
    readOnly: z
      .boolean()
      .optional()
      .describe('True when it only reads. Such commands of one step run side by side, and leave nothing to the next.'),
  })

const carrying = inputOf({
  after: '; the directory it ends in and the variables it exports carry over to the next string',
  begins: 'where the last string ended, at first the home directory',
})

/** Runs one command on the machine. An exit code other than 0 is a result, not an error. */
export const runCommand = commandTool(carrying)

/** The same where nothing carries over. */
export const runLoneCommand = commandTool(inputOf({ after: '', begins: 'the home directory' }))

function commandTool(input: typeof carrying) {
  return defineTool({
    name: 'run_command',
    description:
      'Runs a command on the machine and gives its exit code, standard output and standard error. Long output is cut in its middle.',
    input,
    sharesMachine: ({ readOnly = false }) => readOnly,
    recovers: true,
    run: ({ command, cwd, readOnly, timeoutSeconds = defaultTimeoutSeconds }, context) => {
      const running = context.workplace.run(command, {
        signal: context.signal,
        readOnly,
        callId: context.callId,
        startedAt: context.startedAt,
        approval: context.approval,
        deadlineMs: Math.ceil(timeoutSeconds * 1000),
        ...(cwd === undefined ? {} : { cwd }),
        ...(Object.keys(context.env).length === 0 ? {} : { env: { ...context.env } }),
      })
      return follow(running, context, timeoutSeconds)
    },
  })
}

/**
 * Follows a command to its end. Its output is cleaned of secrets before anything else has it, then shown as it comes and
 * kept by its head and tail. What it put out until its time was over is shown too: a check that hangs says where.
 */
async function* follow(
  running: Running,
  context: ToolContext,
  timeoutSeconds: number,
): AsyncGenerator<OutputChunk, ToolOutcome, void> {
  const outputs = { stdout: capture('stdout', context), stderr: capture('stderr', context) }
  let end: CommandEnd
  try {
    end = yield* captured(running, outputs)
  } catch (error) {
    end = endOf(error)
  }
  for (const stream of ['stdout', 'stderr'] as const) {
    const content = outputs[stream].end()
    if (content !== '') yield { stream, content }
  }
  return 'reason' in end ? stoppedOutcome(end, outputs, { context, timeoutSeconds }) : outcome(end, outputs, context)
}

/** How a command ended whose output is worth something. `refused`: nothing of its changes was applied. */
type CommandEnd =
  | ExecExit
  | {
      readonly reason: 'deadline' | 'refused'
      readonly exit: ExecExit | undefined
      readonly refused: RefusedEffect | undefined
    }

/** Throws what is no end of a command. */
function endOf(error: unknown): CommandEnd {
  if (!isCmdopError(error) || error.code === 'cancelled' || error.code === 'lost') throw error
  const refused = refusedEffectOf(error)
  if (error.code === 'deadline') return { reason: 'deadline', exit: undefined, refused }
  if (refused === undefined) throw error
  return { reason: 'refused', exit: error.details as unknown as ExecExit, refused }
}

/** Takes a command's output in as it comes, cleaned of secrets. Leaving ends it. */
export async function* captured(running: Running, outputs: Captures): AsyncGenerator<OutputChunk, ExecExit, void> {
  try {
    for (;;) {
      const { done, value } = await running.next()
      if (done === true) return value
      if (value.skipped !== undefined) outputs[value.stream].skip(value.skipped)
      const content = outputs[value.stream].add(value.data)
      if (content !== '') yield { stream: value.stream, content }
    }
  } finally {
    await running.return(undefined as never)
  }
}

/** Where an output goes as it comes. */
export interface Capture {
  readonly kept: KeptOutput
  /** Takes output in, and gives what of it can be shown now. */
  add(data: Uint8Array): string
  /** Notes bytes that are not there. */
  skip(bytes: number): void
  end(): string
}

/** A place for an output of a call, on its shelf. */
export function capture(stream: string, { redactor, shelf, label }: ToolContext): Capture {
  let cleaned = redactor.stream()
  const decoder = new TextDecoder()
  const kept = shelf.place(label, stream)
  const take = (data: Buffer, more: boolean): string => {
    if (data.length > 0) kept.add(data)
    return decoder.decode(data, { stream: more })
  }
  return {
    kept,
    add: (data) => take(cleaned.push(data), true),
    skip: (bytes) => {
      take(cleaned.end(), true)
      cleaned = redactor.stream()
      kept.skip(bytes)
    },
    end: () => take(cleaned.end(), false),
  }
}

/** Those of one command. */
export type Captures = Readonly<Record<'stdout' | 'stderr', Capture>>

function stoppedOutcome(
  { reason, exit, refused }: Extract<CommandEnd, { reason: string }>,
  outputs: Captures,
  { context, timeoutSeconds }: { context: ToolContext; timeoutSeconds: number },
): ToolOutcome {
  const { lines, shownBytes, output } = shown(outputs, context)
  const stopped = reason === 'deadline'
  const line = exit === undefined ? `deadline: stopped after ${timeoutSeconds} s, it had not ended` : endLine(exit)
  const { exitCode = null, signal = null } = exit ?? {}
  return {
    text: [...(refused === undefined ? [] : [refusedText(refused, context.fence)]), line, ...lines].join('\n'),
    shownBytes,
    output: { exitCode, signal, ...(stopped && { stopped }), ...output, ...(refused && { refused }) },
    failed: stopped || !isErrorCode(refused?.code) ? 'deadline' : refused.code,
  }
}

function outcome(exit: ExecExit, outputs: Captures, context: ToolContext): ToolOutcome {
  const { lines, shownBytes, output } = shown(outputs, context)
  const text = [endLine(exit), ...lines].join('\n')
  const { exitCode, signal, stdoutBytes, stderrBytes, durationMs } = exit
  return { text, shownBytes, output: { exitCode, signal, ...output, stdoutBytes, stderrBytes, durationMs } }
}

function endLine({ exitCode, signal, durationMs }: ExecExit): string {
  const end = signal === null ? `exit code ${exitCode}` : `ended by ${signal}`
  return `${end}, ${Math.round(durationMs)} ms`
}

/** Standard error gets up to a quarter of the room, and more where standard output leaves it. */
function shown({ stdout, stderr }: Captures, context: ToolContext) {
  const { limitBytes } = context
  const errorRoom = Math.max(Math.floor(limitBytes / 4), limitBytes - stdout.kept.total)
  const err = shownOutput(stderr.kept, 'stderr', context, errorRoom)
  const out = shownOutput(stdout.kept, 'stdout', context, limitBytes - Math.min(stderr.kept.total, errorRoom))
  const lines = [...(stdout.kept.total > 0 ? out.lines : []), ...(stderr.kept.total > 0 ? err.lines : [])]
  return {
    lines: lines.length === 0 ? ['no output'] : lines,
    shownBytes: out.shownBytes + err.shownBytes,
    output: {
      stdout: out.text,
      stderr: err.text,
      stdoutBytes: stdout.kept.total,
      stderrBytes: stderr.kept.total,
      truncated: out.truncated || err.truncated,
    },
  }
}
