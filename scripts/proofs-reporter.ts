import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import type { Reporter, TestModule } from 'vitest/node'

const FILE = 'benchmarks/proofs.md'

interface Proof {
  readonly what: string
  readonly where: string
  readonly result: string
  readonly seconds: string
  readonly commit: string
}

/**
 * Writes `benchmarks/proofs.md`: what the full tier proved, at which commit, with its counts. What other runs proved of files that
 * this one left out stays, with their commit.
 */
export default class ProofsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const commit = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim()
    const date = new Date().toISOString().slice(0, 10)
    const proofs = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => ({
        what: test.fullName,
        where: module.relativeModuleId,
        result: test.result().state,
        seconds: ((test.diagnostic()?.duration ?? 0) / 1000).toFixed(0),
        commit: `${commit}, ${date}, Node ${process.version}`,
      })),
    )
    const own = new Set(proofs.map(({ where }) => where))
    const all = [...readProofs().filter(({ where }) => !own.has(where)), ...proofs].toSorted((one, other) =>
      one.where.localeCompare(other.where),
    )
    writeFileSync(FILE, format(all))
  }
}

function format(proofs: readonly Proof[]): string {
  const passed = proofs.filter(({ result }) => result === 'passed').length
  const rows = proofs.map(
    (proof) => `| ${proof.what} | ${proof.where} | ${proof.result} | ${proof.seconds} s | ${proof.commit} |`,
  )
  const head = ['# Proofs', '', `The full tier (\`npm run test:full\`): ${passed} of ${proofs.length} passed.`, '']
  return [...head, '| what | where | result | time | commit |', '|---|---|---|---|---|', ...rows, ''].join('\n')
}

function readProofs(): Proof[] {
  const rows = readFileSync(FILE, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| '))
  return rows.slice(1).map((row) => {
    const [what = '', where = '', result = '', time = '', commit = ''] = row
      .split('|')
      .slice(1)
      .map((cell) => cell.trim())
    return { what, where, result, seconds: time.replace(' s', ''), commit }
  })
}
