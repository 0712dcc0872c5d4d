import type { JsonSchema } from '../output/json-schema.ts'
import type { Reading } from './reading.ts'

/** A value, or the fields that stand in its way. */
export type Filling =
  | { readonly filled: true; readonly value: unknown }
  | {
      readonly filled: false
      /** Fields that mean nothing this model can read, by path. */
      readonly foreign: readonly string[]
      /** Fields whose fact the machine could not read, by path, with the fact. */
      readonly unreadable: readonly { readonly field: string; readonly fact: string }[]
    }

/** Where the filler is. */
export interface Place {
  readonly root: JsonSchema
  readonly readings: readonly Reading[]
  /** Names of the fields around it that say what is meant: `memory` for `total_gb`. */
  readonly within: readonly string[]
  readonly path: string
}

/** A field this model does not understand. */
export function foreign(path: string): Filling {
  return { filled: false, foreign: [path], unreadable: [] }
}

/** A field whose fact is missing. */
export function missing(path: string, fact: string): Filling {
  return { filled: false, foreign: [], unreadable: [{ field: path, fact }] }
}
