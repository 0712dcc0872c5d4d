import { CmdopError, SkillManifest } from '@cmdop/protocol'
import { type ExpressionBuilder, sql } from 'kysely'
import type { Tables } from './tables.ts'

/** Its own, and what is public and published. */
export function isSeenBy(fleetId: string) {
  return (eb: ExpressionBuilder<Tables, 'skills'>) =>
    eb.or([
      eb('skills.fleetId', '=', fleetId),
      eb.and([eb('skills.visibility', '=', 'public'), eb('skills.status', '=', 'published')]),
    ])
}

/** Part of a text, in any letter case of ASCII. */
export function contains(column: string, part: string) {
  const pattern = `%${part.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`
  return sql<boolean>`lower(${sql.ref(column)}) like lower(${pattern}) escape '\\'`
}

/** A manifest as it was stored. */
export function storedManifest(text: string): SkillManifest {
  const parsed = SkillManifest.safeParse(JSON.parse(text))
  if (parsed.success) return parsed.data
  throw new CmdopError('server', 'A manifest in the store cannot be read; was it written by another relay?', {
    cause: parsed.error,
  })
}
