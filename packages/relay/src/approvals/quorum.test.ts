import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { isMet } from './quorum.ts'

const person = (id: string, ...groups: string[]) => ({ id, groups })

test('Every group needs its own people: one of two groups stands for one of them', () => {
  const both = [
    { from: 'ops', n: 1 },
    { from: 'security', n: 1 },
  ]
  expect(isMet(both, [person('ada', 'ops', 'security')])).toBe(false)
  expect(isMet(both, [person('ada', 'ops', 'security'), person('bob', 'ops')])).toBe(true)
  expect(isMet(both, [person('ada', 'ops', 'security'), person('bob', 'member')])).toBe(false)
  expect(isMet([{ from: 'ops', n: 2 }], [person('ada', 'ops'), person('bob', 'ops')])).toBe(true)
})

test('The answer is that of trying every seating', () => {
  const group = fc.constantFrom('a', 'b', 'c')
  const requirement = fc.array(fc.record({ from: group, n: fc.integer({ min: 1, max: 2 }) }), {
    minLength: 1,
    maxLength: 3,
  })
  const people = fc
    .array(fc.uniqueArray(group), { maxLength: 5 })
    .map((all) => all.map((groups, index) => ({ id: String(index), groups })))
  fc.assert(
    fc.property(requirement, people, (needed, present) => {
      const places = needed.flatMap(({ from, n }) => Array.from({ length: n }, () => from))
      expect(isMet(needed, present)).toBe(canSeat(places, present))
    }),
    { numRuns: 500 },
  )
})

function canSeat(places: readonly string[], people: readonly { id: string; groups: readonly string[] }[]): boolean {
  const [place, ...rest] = places
  if (place === undefined) return true
  return people.some(
    (each) =>
      each.groups.includes(place) &&
      canSeat(
        rest,
        people.filter(({ id }) => id !== each.id),
      ),
  )
}
