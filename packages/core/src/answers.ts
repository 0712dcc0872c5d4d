import { CmdopError } from '@cmdop/protocol'
import type { z } from 'zod'

/** Id of a new call: 128 random bits. */
export function newCallId(): string {
  return `call_${crypto.randomUUID().replaceAll('-', '')}`
}

/** The JSON of an answer; undefined when it is none. */
export function parseJson(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data))
  } catch {
    return undefined
  }
}

/** What a machine answered, checked. Throws `server` for an answer of another shape. */
export function parseAnswer<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new CmdopError('server', 'The machine gave an answer of another shape; is its daemon of another version?', {
    cause: parsed.error,
  })
}
