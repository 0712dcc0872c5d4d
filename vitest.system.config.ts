import { defineConfig } from 'vitest/config'
import base from './vitest.config.ts'

/** Tests that need root or a Debian package (those in `.ci/run`), and those that are too long for `npm test`. */
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['packages/*/src/**/*.system.test.ts', 'test/**/*.system.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    maxWorkers: 1,
  },
})
