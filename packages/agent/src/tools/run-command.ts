import type { ExecExit, Execution } from '@cmdop/core'
import { isCmdopError } from '@cmdop/protocol'
import * as z from 'zod/v4'
import type { KeptOutput } from '../context/kept-output.ts'
import { shownOutput } from './shown-output.ts'
import { defineTool, type OutputChunk, type ToolContext, type ToolOutcome } from './tool.ts'

/** Seconds a command may take when the model sets no other. */
const defaultTimeoutSeconds = 120

const Input = z.object({
  command: z
    .union([z.array(z.string()).min(1), z.string().min(1)])
    .describe('An array is run as it is, program first: ["df", "-h"]. A string runs under /bin/sh -c, for pipes.'),
  cwd: z.string().optional().describe('Absolute directory to run in. Default: the home directory.'),
  timeoutSeconds: z.number().positive().max(3600).optional().describe('Default 120. The command is stopped after it.'),
  readOnly: z.boolean().optional().describe('True when it only reads. Such commands of one step run side by side.'),
})

/** Runs one command on the machine. An exit code other than 0 is a result, not an error. */
export const runCommand = defineTool({
  name: 'run_command',
  description:
    'Runs a command on the machine and gives its exit code, standard output and standard error. Long output is cut in its middle.',
  input: Input,
  sharesMachine: ({ readOnly = false }) => readOnly,
  run: ({ command, cwd, timeoutSeconds = defaultTimeoutSeconds }, context) =>
    execute(
      (signal) =>
        context.machine.exec(command, {
          signal,
          deadlineMs: Math.ceil(timeoutSeconds * 1000),
          ...(cwd === undefined ? {} : { cwd }),
          ...(Object.keys(context.env).length === 0 ? {} : { env: { ...context.env } }),
        }),
      context,
      timeoutSeconds,
    ),
})

/**
 * Follows a command to its end. Its output is cleaned of secrets before anything else has it, then shown as it comes and
 * kept by its head and tail. What it put out until its time was over is shown too: a check that hangs says where.
 */
export async function* execute(
  start: (signal: AbortSignal) => Execution,
  context: ToolContext,
  timeoutSeconds: number,
): AsyncGenerator<OutputChunk, ToolOutcome, void> {
  const outputs = { stdout: capture('stdout', context), stderr: capture('stderr', context) }
  const execution = start(context.signal)
  let ending: { exit: ExecExit } | { stopped: true }
  try {
    for await (const { stream, data } of execution) {
      const content = outputs[stream].add(data)
      if (content !== '') yield { stream, content }
    }
    ending = { exit: await execution.exit }
  } catch (error) {
    if (!isCmdopError(error) || error.code !== 'deadline') throw error
    ending = { stopped: true }
  }
  for (const stream of ['stdout', 'stderr'] as const) {
    const content = outputs[stream].end()
    if (content !== '') yield { stream, content }
  }
  return 'exit' in ending ? outcome(ending.exit, outputs, context) : stoppedOutcome(outputs, context, timeoutSeconds)
}

interface Capture {
  readonly kept: KeptOutput
  /** Takes output in, and gives what of it can be shown now. */
  add(data: Uint8Array): string
  end(): string
}

function capture(stream: string, { redactor, shelf, label }: ToolContext): Capture {
  const cleaned = redactor.stream()
  const decoder = new TextDecoder()
  const kept = shelf.place(label, stream)
  const take = (data: Buffer, more: boolean): string => {
    if (data.length > 0) kept.add(data)
    return decoder.decode(data, { stream: more })
  }
  return {
    kept,
    add: (data) => take(cleaned.push(data), true),
    end: () => take(cleaned.end(), false),
  }
}

type Captures = Readonly<Record<'stdout' | 'stderr', Capture>>

function stoppedOutcome(outputs: Captures, context: ToolContext, timeoutSeconds: number): ToolOutcome {
  const { lines, shownBytes, output } = shown(outputs, context)
  const line = `deadline: stopped after ${timeoutSeconds} s, it had not ended`
  return {
    text: [line, ...lines].join('\n'),
    shownBytes,
    output: { exitCode: null, signal: null, stopped: true, ...output },
    failed: true,
  }
}

function outcome(exit: ExecExit, outputs: Captures, context: ToolContext): ToolOutcome {
  const { lines, shownBytes, output } = shown(outputs, context)
  const end = exit.signal === null ? `exit code ${exit.exitCode}` : `ended by ${exit.signal}`
  const text = [`${end}, ${Math.round(exit.durationMs)} ms`, ...lines].join('\n')
  const { exitCode, signal, stdoutBytes, stderrBytes, durationMs } = exit
  return { text, shownBytes, output: { exitCode, signal, ...output, stdoutBytes, stderrBytes, durationMs } }
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
