import { z } from 'zod'
import { CmdopError } from '../errors.ts'

/** Labels of one machine at most. */
export const MAX_LABELS = 64

const text = (pattern: RegExp, what: string) =>
  z.string().regex(pattern, `Expected ${what}: letters, digits, dots, dashes and underscores, 63 characters at most.`)

/** Name of a label: `role`, `example.com/zone`. */
export const LabelKey = text(/^[a-z0-9](?:[a-z0-9._/-]{0,61}[a-z0-9])?$/i, 'the name of a label')

/** Its value; may be empty. */
export const LabelValue = text(/^(?:[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?)?$/i, 'the value of a label')

/** What a machine is, for selectors: `{ role: 'web', zone: 'a' }`. */
export const Labels = z
  .record(LabelKey, LabelValue)
  .refine((labels) => Object.keys(labels).length <= MAX_LABELS, `Expected at most ${MAX_LABELS} labels.`)
export type Labels = z.infer<typeof Labels>

/** A change of labels: what is not named stays, and `null` removes. */
export const LabelChanges = z
  .record(LabelKey, LabelValue.nullable())
  .refine((labels) => Object.keys(labels).length <= MAX_LABELS, `Expected at most ${MAX_LABELS} labels.`)
export type LabelChanges = z.infer<typeof LabelChanges>

/** Reads labels as people write them: `role=web`, each by itself or several with commas between. Throws `validation`. */
export function parseLabels(texts: readonly string[]): Labels {
  const pairs = texts.flatMap((text) => text.split(',').filter((part) => part.trim() !== ''))
  return checked(
    Labels,
    pairs.map((pair) => {
      const [key = '', ...value] = pair.trim().split('=')
      if (value.length !== 1) throw new CmdopError('validation', `Expected a label such as role=web, got '${pair}'.`)
      return [key, value[0] ?? '']
    }),
  )
}

/** Reads changes of labels: `role=web` sets, `role-` removes. Throws `validation`. */
export function parseLabelChanges(texts: readonly string[]): LabelChanges {
  const pairs = texts.map((text): [string, string | null] => {
    if (!text.includes('=') && text.endsWith('-')) return [text.slice(0, -1), null]
    const [key = '', ...value] = text.split('=')
    if (value.length === 1) return [key, value[0] ?? '']
    throw new CmdopError('validation', `Expected role=web, or role- to remove it, got '${text}'.`)
  })
  return checked(LabelChanges, pairs)
}

function checked<Value>(schema: z.ZodType<Value>, pairs: readonly (readonly [string, string | null])[]): Value {
  const parsed = schema.safeParse(Object.fromEntries(pairs))
  if (parsed.success) return parsed.data
  throw new CmdopError('validation', parsed.error.issues.map(({ message }) => message).join(' '), {
    cause: parsed.error,
  })
}
