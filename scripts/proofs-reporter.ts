import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import type { Reporter, TestModule } from 'vitest/node'

/** Writes `benchmarks/proofs.md`: what the full tier proved, at which commit, with its counts. */
export default class ProofsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const commit = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim()
    const tests = modules.flatMap((module) => [...module.children.allTests()].map((test) => ({ module, test })))
    const rows = tests.map(({ module, test }) => {
      const seconds = ((test.diagnostic()?.duration ?? 0) / 1000).toFixed(0)
      return `| ${test.fullName} | ${module.relativeModuleId} | ${test.result().state} | ${seconds} s |`
    })
    const passed = tests.filter(({ test }) => test.result().state === 'passed').length
    const head = [
      '# Proofs',
      '',
      `The full tier (\`npm run test:full\`) at commit ${commit}, ${new Date().toISOString().slice(0, 10)}, Node ${process.version}: ${passed} of ${tests.length} passed.`,
    ]
    writeFileSync(
      'benchmarks/proofs.md',
      [...head, '', '| what | where | result | time |', '|---|---|---|---|', ...rows, ''].join('\n'),
    )
  }
}
