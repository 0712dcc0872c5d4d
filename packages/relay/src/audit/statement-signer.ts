import { createPrivateKey, type KeyObject, sign } from 'node:crypto'
import { type AuditStatement, canonicalJson, type SignedStatement, statementText } from '@cmdop/protocol'
import type { RelayKeyRow } from '../store/store.ts'

/** Signs what the relay says about its log, with the key that machines pin. */
export class StatementSigner {
  readonly relayId: string
  readonly #privateKey: KeyObject

  constructor({ relayId, privateKey }: RelayKeyRow) {
    this.relayId = relayId
    this.#privateKey = createPrivateKey(privateKey)
  }

  /** Signs a statement about a fleet, as of now. */
  sign(kind: AuditStatement, fleetId: string, said: Record<string, unknown>): SignedStatement {
    const body = canonicalJson({ ...said, version: 1, relayId: this.relayId, fleetId, at: new Date().toISOString() })
    const signature = sign(null, Buffer.from(statementText(kind, body)), this.#privateKey).toString('base64url')
    return { body, signature }
  }
}
