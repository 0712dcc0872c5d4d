import type { Requirement } from '@cmdop/protocol'
import type { Person } from '../store/approval-store.ts'

/**
 * Whether these people together fulfil every requirement, each person counting once: a person of two groups does not stand for
 * both. A matching of people and places (Kuhn's augmenting paths).
 */
export function isMet(requirement: Requirement, people: readonly Person[]): boolean {
  const places = requirement.flatMap(({ from, n }) => Array.from({ length: n }, () => from))
  const seated = new Map<number, Person>()
  const seat = (person: Person, tried: Set<number>): boolean =>
    places.some((group, place) => {
      if (tried.has(place) || !person.groups.includes(group)) return false
      tried.add(place)
      const other = seated.get(place)
      if (other !== undefined && !seat(other, tried)) return false
      seated.set(place, person)
      return true
    })
  for (const person of people) seat(person, new Set())
  return seated.size === places.length
}
