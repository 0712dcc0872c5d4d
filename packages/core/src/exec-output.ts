import type { ExecExit, ExecResult } from './machine.ts'
import type { CollectedOutput } from './output-collector.ts'

/** How a command ended, with what is kept of its output. */
export function resultOf(
  exit: ExecExit,
  { stdout, stderr }: Readonly<Record<'stdout' | 'stderr', CollectedOutput>>,
): ExecResult {
  return {
    ...exit,
    stdout: stdout.text,
    stderr: stderr.text,
    stdoutData: stdout.data,
    stderrData: stderr.data,
    stdoutTruncated: stdout.truncated,
    stderrTruncated: stderr.truncated,
  }
}
