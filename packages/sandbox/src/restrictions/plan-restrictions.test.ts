import { expect, test } from 'vitest'
import { planRestrictions } from './plan-restrictions.ts'

const situation = { uid: 1000, folders: ['/'], hidden: [], networkId: 'net:[1]' }

test.each([
  [5, true],
  [6, false],
])('without namespaces and with Landlock %i it is said whether signals reach the daemon', (landlock, isOpen) => {
  const { holes } = planRestrictions({ readOnly: true }, { ...situation, landlock }, 'landlock')
  expect(holes.some((hole) => hole.includes('signals'))).toBe(isOpen)
})

test('what restricts no files says nothing of signals', () => {
  expect(planRestrictions({ noSudo: true }, { ...situation, landlock: 5 }, 'landlock').holes).toEqual([])
})
