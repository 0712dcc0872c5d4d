import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { ownEnvironment } from './processes/environment.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

// The code of the pages: `docs.test.ts` holds each fence to one of them.
test.each([
  'quick-start',
  'client',
  'exec',
  'fleet',
  'playbook',
  'files',
  'sessions',
  'tunnels',
  'recordings',
  'restrictions',
  'policy',
  'notifications',
  'schedules',
  'operator',
  'operator-types',
  'resident',
  'skills',
])('the example %s runs and ends with exit code 0', async (name) => {
  const env = ownEnvironment()
  const { stderr } = await promisify(execFile)(
    process.execPath,
    ['--conditions=@cmdop/source', `${root}examples/${name}/src/main.ts`],
    { env },
  )
  expect(stderr).toBe('')
})
