import { createHash } from 'node:crypto'
import { canonicalJson } from '@cmdop/protocol'

/** A fingerprint: the same for the same JSON, whatever the order of its keys. */
export function digestOf(value: unknown): string {
  return createHash('sha256')
    .update(canonicalJson(JSON.parse(JSON.stringify(value))))
    .digest('hex')
}
