import { boundedText } from '../tools/bounded-text.ts'

/** Most bytes of what a call gave, as JSON, that the record and the journal have whole. */
const maxBytes = 262_144

/** Bytes that they have of anything longer: half from its head, half from its tail. */
const shownBytes = 16_384

/** What stands in a record in place of an output that is too long for it. */
interface CutOutput {
  /** Head and tail, of JSON where it was no text. */
  readonly text: string
  /** Of the whole. */
  readonly bytes: number
  readonly truncated: true
}

/** What a call gave, as its record has it: itself, or its head and tail with how long it is. */
export function recordedOutput(output: unknown): unknown {
  const text = typeof output === 'string' ? output : (JSON.stringify(output) ?? '')
  // No character of UTF-16 has more than three bytes.
  if (text.length * 3 <= maxBytes) return output
  const data = Buffer.from(text)
  if (data.length <= maxBytes) return output
  return {
    text: boundedText(data, data.length, shownBytes).text,
    bytes: data.length,
    truncated: true,
  } satisfies CutOutput
}
