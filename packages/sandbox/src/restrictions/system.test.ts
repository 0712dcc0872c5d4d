import { expect, test } from 'vitest'
import { refuseSystem } from './system.ts'

const linux = { platform: 'linux', arch: 'x64', hasProcesses: true } as const

test.each([
  [{ ...linux, platform: 'win32' }, 'kernel that holds restrictions', 'win32'],
  [{ ...linux, platform: 'darwin' }, 'overlay, and its seatbelt profile is untested', 'darwin'],
  [{ ...linux, arch: 'riscv64' }, 'rules for its processor', 'riscv64'],
  [{ ...linux, hasProcesses: false }, '/proc of Linux 3.8 or later', 'ENOENT'],
] as const)('%o is refused with what it lacks', (system, missing, errno) => {
  expect(() => refuseSystem({ readOnly: true }, system)).toThrow(
    expect.objectContaining({
      code: 'restriction_unenforceable',
      details: expect.objectContaining({ restriction: 'readOnly', missing, errno, executed: false }),
    }),
  )
})

test('Linux with what is needed is not refused before it is tried', () => {
  expect(() => refuseSystem({ dryRun: true }, linux)).not.toThrow()
})
