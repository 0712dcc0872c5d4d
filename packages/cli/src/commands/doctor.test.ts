import { expect, test } from 'vitest'
import { describeCapabilities } from './doctor.ts'

test('what a machine can hold is a line each, with what stays open, or what is missing and helps', () => {
  const text = describeCapabilities('web-1', {
    system: 'linux 6.12',
    landlock: 6,
    restrictions: {
      dryRun: {
        ok: false,
        limits: [],
        missing: 'user namespaces',
        step: 'unshare',
        errno: 'EPERM',
        fix: 'Set kernel.unprivileged_userns_clone to 1.',
      },
      readOnly: { ok: true, tier: 'landlock', limits: ['Modes of files can be changed.'] },
      noSudo: { ok: true, limits: [] },
      network: { ok: false, limits: [] },
    },
    hints: ['fs.suid_dumpable is 1.'],
  })
  expect(text).toMatchInlineSnapshot(`
    "web-1: linux 6.12, Landlock 6
      dryRun    cannot be held
                - missing: user namespaces (unshare: EPERM)
                - what helps: Set kernel.unprivileged_userns_clone to 1.
      readOnly  held by landlock
                - Modes of files can be changed.
      noSudo    held
      network   cannot be held
                - missing: not known
      hint: fs.suid_dumpable is 1.
    "
  `)
})
