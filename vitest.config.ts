import { defineConfig } from 'vitest/config'

/** Unit tests beside the sources and end-to-end tests in test/. Needs only Node and npm. */
export default defineConfig({
  resolve: { conditions: ['@cmdop/source'] },
  ssr: { resolve: { conditions: ['@cmdop/source'] } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/*.system.test.ts', '**/*.full.test.ts', '**/node_modules/**', '**/dist/**'],
    globalSetup: ['./test/own-home.ts'],
    pool: 'forks',
    // Files of one worker share what they import: loading all of it anew for each takes a quarter of the processors' time.
    isolate: false,
    // One more than the processors of a small machine: most tests wait for processes of their own.
    maxWorkers: 3,
    // A machine may be busy: what hangs is found all the same, and nothing waits so long that works.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000, interval: 20 } },
    // Room for what dies young (64 MiB): collecting it in the 16 of Node takes an eighth of the processors' time.
    execArgv: ['--conditions=@cmdop/source', '--max-semi-space-size=64'],
    onConsoleLog: (log) => {
      throw new Error(`A test wrote to the console: ${log}`)
    },
  },
})
