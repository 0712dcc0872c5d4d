import { defineConfig } from 'vitest/config'
import base from './vitest.config.ts'

/** The full counts: hundreds of kills, fuzz, load. Writes `benchmarks/proofs.md`. */
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['packages/*/src/**/*.full.test.ts', 'test/**/*.full.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    testTimeout: 1_800_000,
    isolate: true,
    maxWorkers: 1,
    reporters: ['default', './scripts/proofs-reporter.ts'],
  },
})
