import type { FieldWords } from './words.ts'

/** What a reading gives. null: the machine could not say. */
export type Quantity =
  | { readonly kind: 'text'; readonly value: string | null }
  /** `bytes` and `seconds` are converted to the unit in the field's words; others are given as they are. */
  | { readonly kind: 'number'; readonly value: number | null; readonly unit: 'percent' | 'bytes' | 'seconds' | 'none' }
  | { readonly kind: 'truth'; readonly value: boolean | null }
  /** `asNumber` is what stands for the list in a number: the count of all its entries, for most. */
  | {
      readonly kind: 'list'
      readonly items: readonly Item[] | null
      readonly asNumber: number | null
      /** An entry with every field: an empty list still has to be understood. */
      readonly like: Item
    }

/** An entry of a list: as text, as a number where it has one, and as fields. */
export interface Item {
  readonly text: string
  readonly number?: number | undefined
  readonly readings: readonly Reading[]
}

/** One thing that is known, and the words a field must have, and may have, to mean it. */
export interface Reading {
  /** What it is called where it could not be read: the part of the facts. */
  readonly fact: string
  /** One word of each group must be there. */
  readonly needs: readonly (readonly string[])[]
  /** Other words that do not change the meaning. */
  readonly may: readonly string[]
  /** The words of the field decide the unit, or which of several figures is meant. */
  readonly read: (words: ReadonlySet<string>) => Quantity
}

/** The words that name a unit of size, in bytes. GB is 10^9. */
export const sizeUnits: Readonly<Record<string, number>> = {
  bytes: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
}

/** The words that name a unit of time, in seconds. */
export const timeUnits: Readonly<Record<string, number>> = { second: 1, minute: 60, hour: 3600, day: 86_400 }

/** A reading that a field means, with the words that said so. */
export interface Match {
  readonly reading: Reading
  readonly words: ReadonlySet<string>
}

/** Words that make something else of a figure. In a description they forbid a reading that does not know them. */
const changing = new Set(
  (
    'failed stopped inactive crashed dead missing unused swap threshold limit maximum max minimum peak expected target ' +
    'previous last next average trend change delta growth remote other per cache buffer idle wait iowait steal temperature ' +
    'history required recommended allowed closed unknown new old user'
  ).split(' '),
)

/**
 * The reading a field means, or undefined. Every word counts: a name with a word the reading does not know means
 * something else (`cpu_percent_threshold`). A description that is free prose only has to agree with the name.
 */
export function readingFor(field: FieldWords, readings: readonly Reading[]): Match | undefined {
  const both = new Set([...field.name, ...field.description])
  const agrees = (words: ReadonlySet<string>, reading: Reading): boolean =>
    [...words].every((word) => !changing.has(word) || knows(reading, word))
  const match =
    best(both, readings) ??
    best(
      field.name,
      readings.filter((reading) => agrees(field.description, reading)),
    ) ??
    best(
      field.description,
      readings.filter((reading) => agrees(field.name, reading)),
    )
  return match !== undefined && field.otherPath && match.reading.fact === 'disks' ? undefined : match
}

function best(words: ReadonlySet<string>, readings: readonly Reading[]): Match | undefined {
  if (words.size === 0) return undefined
  const fitting = readings.filter((reading) => isMeant(reading, words))
  fitting.sort((one, other) => other.needs.length - one.needs.length)
  const [reading] = fitting
  return reading && { reading, words }
}

function isMeant(reading: Reading, words: ReadonlySet<string>): boolean {
  return (
    reading.needs.every((group) => group.some((word) => words.has(word))) &&
    [...words].every((word) => knows(reading, word))
  )
}

function knows({ needs, may }: Reading, word: string): boolean {
  return may.includes(word) || needs.some((group) => group.includes(word))
}
