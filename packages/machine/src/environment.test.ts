import { expect, test } from 'vitest'
import { commandEnvironment } from './environment.ts'

test('a command gets the plain variables of the daemon, and none that could hold a secret', () => {
  const passed = { PATH: '/bin', HOME: '/root', LANG: 'C', LC_ALL: 'C', TZ: 'UTC' }
  const kept = {
    CMDOP_TOKEN: 'x',
    ANTHROPIC_API_KEY: 'x',
    AWS_SECRET_ACCESS_KEY: 'x',
    NODE_OPTIONS: 'x',
    LD_PRELOAD: 'x',
    PATHS: 'x',
    MY_PATH: 'x',
    path: 'x',
    LC_: 'x',
  }
  expect(commandEnvironment({ ...passed, ...kept, USER: undefined })).toEqual(passed)
})
