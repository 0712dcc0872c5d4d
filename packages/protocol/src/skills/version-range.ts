/** An operator, one to three numbers, and what stands for any number after them. */
const COMPARATOR = /^(\^|~=|~|>=|<=|==|!=|=|>|<|)v?(\d{1,9}(?:\.\d{1,9}){0,2})(?:\.[x*])*$/

/** Whether a version, as its numbers, is what one comparator says. */
type Comparator = (version: readonly number[]) => boolean

/**
 * Whether `version` is in `range`: `>=20`, `^20.3`, `~20.3`, `20.x`, `*`, `>=3.9,<4`, `~=3.10`, `18 || >=20`. Blanks and commas are "and".
 * Numbers that a comparator does not name are any: 3.11.2 is `==3.11`, and not `>3.11`. What stands after the third number does not
 * count. Undefined where the range is none of these forms.
 */
export function isVersionIn(version: string, range: string): boolean | undefined {
  const numbers = (/\d+(?:\.\d+)*/.exec(version)?.[0] ?? '').split('.').map(Number)
  const alternatives = range.split('||').map(comparatorsOf)
  const read = alternatives.filter((each) => each !== undefined)
  if (read.length < alternatives.length) return undefined
  return read.some((comparators) => comparators.every((comparator) => comparator(numbers)))
}

function comparatorsOf(alternative: string): Comparator[] | undefined {
  // `>= 20` is one word.
  const words = alternative.trim().replaceAll(/([\^~<>=!])\s+/g, '$1')
  const comparators = words.split(/[\s,]+/).map(comparatorOf)
  const read = comparators.filter((each) => each !== undefined)
  return read.length < comparators.length ? undefined : read
}

function comparatorOf(word: string): Comparator | undefined {
  if (word === '*' || word === 'x') return () => true
  const [, operator, text] = COMPARATOR.exec(word) ?? []
  if (operator === undefined || text === undefined) return undefined
  const wanted = text.split('.').map(Number)
  const compared = (version: readonly number[]) => compare(version, wanted)
  const isNear = (version: readonly number[]) =>
    compared(version) >= 0 && compare(version, wanted.slice(0, kept(operator, wanted))) === 0
  switch (operator) {
    case '>=':
      return (version) => compared(version) >= 0
    case '<=':
      return (version) => compared(version) <= 0
    case '>':
      return (version) => compared(version) > 0
    case '<':
      return (version) => compared(version) < 0
    case '!=':
      return (version) => compared(version) !== 0
    case '^':
    case '~':
    case '~=':
      return isNear
    default:
      return (version) => compared(version) === 0
  }
}

/** How many numbers have to be the same: of `^` up to the first that is not 0, of `~` two, of `~=` all but the last. */
function kept(operator: string, wanted: readonly number[]): number {
  if (operator === '~') return 2
  if (operator === '~=') return Math.max(wanted.length - 1, 1)
  const first = wanted.findIndex((number) => number > 0)
  return first < 0 ? wanted.length : first + 1
}

/** By the numbers that are wanted. */
function compare(version: readonly number[], wanted: readonly number[]): number {
  for (const [index, number] of wanted.entries()) {
    const difference = (version[index] ?? 0) - number
    if (difference !== 0) return difference
  }
  return 0
}
