import { variantsOf } from './variants.ts'

/** Finds the forms of secrets in text whose characters are bytes. */
export interface Matcher {
  /** There is nothing to find. */
  readonly isEmpty: boolean
  /** Where they stand; ranges may overlap. */
  find(text: string): [start: number, end: number][]
  /** How much of the text cannot be the beginning of a form that goes on after its end. */
  safeLength(text: string): number
}

/** Line breaks within an encoded text, as `base64` and PEM files have them. */
const breaks = /[\r\n]/g

/** A matcher for the secrets in all their forms, also where an encoded one is broken into lines. */
export function createMatcher(secrets: readonly string[]): Matcher {
  const variants = secrets.map(variantsOf)
  const unbroken = [...new Set(variants.flatMap(({ encoded }) => encoded))]
  const forms = [...new Set([...variants.flatMap(({ plain }) => plain), ...unbroken])]
  const longest = Math.max(0, ...forms.map((form) => form.length))
  const starts = new Set(forms.map((form) => form.charCodeAt(0)))
  return {
    isEmpty: forms.length === 0,
    find: (text) => {
      if (forms.length === 0) return []
      const found = positions(text, forms)
      if (!text.includes('\n') || unbroken.length === 0) return found
      const { joined, places } = withoutBreaks(text)
      const broken = positions(joined, unbroken).map(([start, end]): [number, number] => [
        place(places, start),
        place(places, end - 1) + 1,
      ])
      return [...found, ...broken]
    },
    safeLength: (text) => {
      if (forms.length === 0) return text.length
      // Twice, for the line breaks that an encoded form may have.
      for (let start = Math.max(0, text.length - 2 * longest + 1); start < text.length; start++) {
        if (!starts.has(text.charCodeAt(start))) continue
        const rest = text.slice(start)
        const joined = rest.replace(breaks, '')
        if (forms.some((form) => form.startsWith(rest)) || unbroken.some((form) => form.startsWith(joined)))
          return start
      }
      return text.length
    },
  }
}

function positions(text: string, forms: readonly string[]): [number, number][] {
  const found: [number, number][] = []
  for (const form of forms) {
    for (let at = text.indexOf(form); at >= 0; at = text.indexOf(form, at + 1)) found.push([at, at + form.length])
  }
  return found
}

/** The text without line breaks, and for each stretch of it where it stood. */
function withoutBreaks(text: string): { joined: string; places: [joinedAt: number, textAt: number][] } {
  const places: [number, number][] = []
  let joined = ''
  let at = 0
  for (const match of text.matchAll(/[\r\n]+/g)) {
    places.push([joined.length, at])
    joined += text.slice(at, match.index)
    at = match.index + match[0].length
  }
  places.push([joined.length, at])
  return { joined: joined + text.slice(at), places }
}

function place(places: readonly [number, number][], joinedAt: number): number {
  let low = 0
  let high = places.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((places[middle]?.[0] ?? 0) <= joinedAt) low = middle
    else high = middle - 1
  }
  const [from, textAt] = places[low] ?? [0, 0]
  return textAt + joinedAt - from
}
