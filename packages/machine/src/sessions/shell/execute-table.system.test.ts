import { describe } from 'vitest'
import { hasProgram } from '../../testing/has-program.ts'
import { testExecute } from './execute-suite.ts'

for (const shell of ['bash', 'zsh', 'dash', 'fish'] as const) {
  describe.runIf(hasProgram(shell))(`execute in ${shell}`, { concurrent: true }, () =>
    testExecute(shell, `/usr/bin/${shell}`),
  )
}
