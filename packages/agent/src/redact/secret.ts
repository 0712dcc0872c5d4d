import { inspect } from 'node:util'
import { CmdopError } from '@cmdop/protocol'

const hidden = '[secret]'

/** Shortest secret that is taken: a shorter one would be cut out of every other word. */
const minCharacters = 4

/**
 * A value that no model, event, record or log may show. Wherever it goes by accident it reads `[secret]`; in output of a
 * machine it is cut out, in every encoding that `Redactor` knows. Throws `validation` for one of fewer than four characters.
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    if (typeof value !== 'string' || value.length < minCharacters) {
      throw new CmdopError('validation', `Expected a secret to be a text of ${minCharacters} characters or more.`)
    }
    this.#value = value
  }

  /** The value itself. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return hidden
  }

  toJSON(): string {
    return hidden
  }

  [inspect.custom](): string {
    return hidden
  }
}
