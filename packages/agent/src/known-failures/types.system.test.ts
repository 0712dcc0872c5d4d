import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

/** Most instantiations that ten runs with large schemas may cost the compiler. They cost about 30,000. */
const bound = 60_000

const root = fileURLToPath(new URL('../../../..', import.meta.url))

test('7. large schemas of Zod 3 and 4 do not blow up TypeScript', { timeout: 180_000 }, async () => {
  const used = await instantiations('type-weight.ts')
  const imported = await instantiations('type-weight-empty.ts')
  expect(used - imported).toBeGreaterThan(1_000)
  expect(used - imported).toBeLessThan(bound)
})

/** Compiles one file without an error, and gives the number of types that were made of others for it. */
async function instantiations(name: string): Promise<number> {
  const options = '--ignoreConfig --noEmit --extendedDiagnostics --strict --exactOptionalPropertyTypes --skipLibCheck'
  const target = '--target es2024 --lib es2024,esnext.disposable,esnext.array --module nodenext --types node'
  // Several checkers make the same types each for itself.
  const sources = '--customConditions @cmdop/source --allowImportingTsExtensions --singleThreaded'
  const file = fileURLToPath(new URL(`../testing/${name}`, import.meta.url))
  const args = [...`${options} ${target} ${sources}`.split(' '), file]
  const { stdout } = await promisify(execFile)(`${root}node_modules/.bin/tsc`, args, { cwd: root })
  expect(stdout).not.toContain('error TS')
  return Number(/^Instantiations:\s+(\d+)/m.exec(stdout)?.[1])
}
