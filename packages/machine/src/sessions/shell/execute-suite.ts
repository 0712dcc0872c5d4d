import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type ShellName, type Step, stepsOf } from './execute-case.ts'
import { languageCases } from './execute-cases-language.ts'
import { sessionCases } from './execute-cases-session.ts'
import { startTestShell, type TestShell } from './test-shell.ts'

/** The table of what `execute` must do, in one shell. */
export function testExecute(name: ShellName, shell: string): void {
  test.each([...languageCases, ...sessionCases].map((each) => [each.title, stepsOf(each, name)] as const))(
    'runs %s',
    async (_, steps) => {
      await using session = await startTestShell({ shell })
      // Its start is not a part of any deadline.
      await session.execute('true')
      for (const step of steps) await runStep(session, step)
    },
  )
}

async function runStep(session: TestShell, step: Step): Promise<void> {
  // In two parts, so that the command is not what it looks for.
  const run = step.run.replace('NONCE', session.nonce.replace(/^.{9}/, "$&''"))
  const { timeoutMs = 20_000, reason = 'exited', exitCode = 0 } = step
  const result = await session.execute(run, { timeoutMs })
  const output = result.output.toString().replaceAll('\r\n', '\n')
  const seen = { run, reason: result.reason, output }
  if (step.output instanceof RegExp) expect(seen).toEqual({ run, reason, output: expect.stringMatching(step.output) })
  else expect(seen).toEqual({ run, reason, output: step.output ?? output })
  // fish does not say how a shell that reads was interrupted.
  if (reason !== 'deadline' || step.exitCode !== undefined)
    expect({ run, exitCode: result.exitCode }).toEqual({ run, exitCode })
  if (step.bytes !== undefined) expect(result.output.toString('latin1')).toBe(step.bytes)
  if (step.cwd !== undefined)
    expect(result.directory?.toString('latin1')).toBe(join(session.cwd, step.cwd).replace(/\/$/, ''))
}
