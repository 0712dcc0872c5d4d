import type { JsonSchema } from './json-schema.ts'

/** Keywords that limit a value, and how they are said to a model that does not get them. */
const words: Readonly<Record<string, string>> = {
  minLength: 'at least # characters',
  maxLength: 'at most # characters',
  pattern: 'matches #',
  format: 'format #',
  minimum: 'at least #',
  maximum: 'at most #',
  exclusiveMinimum: 'more than #',
  exclusiveMaximum: 'less than #',
  multipleOf: 'a multiple of #',
  minItems: 'at least # items',
  maxItems: 'at most # items',
  uniqueItems: 'no item twice',
  minProperties: 'at least # entries',
  maxProperties: 'at most # entries',
  default: 'default #',
}

/** Bounds that every integer of JSON has anyway. */
function isObvious(key: string, value: unknown): boolean {
  return (key === 'minimum' || key === 'maximum') && Math.abs(Number(value)) >= Number.MAX_SAFE_INTEGER
}

/** The node without the given keywords, with what they said in its description. */
export function withNotes(node: JsonSchema, keywords: readonly string[]): JsonSchema {
  const notes: string[] = []
  const rest: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(node)) {
    if (!keywords.includes(key)) rest[key] = value
    else if (!isObvious(key, value) && words[key] !== undefined)
      notes.push(words[key].replace('#', () => JSON.stringify(value)))
  }
  if (notes.length === 0) return rest
  const note = `(${notes.join(', ')})`
  return { ...rest, description: node.description === undefined ? note : `${node.description} ${note}` }
}

/** The keywords that the notes know. */
export const notedKeywords = Object.keys(words)
