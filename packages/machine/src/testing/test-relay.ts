import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import {
  type Approval,
  actionText,
  approvalText,
  canonicalJson,
  type Open,
  PERMIT_TTL_MS,
  type Permit,
  permitText,
  planText,
  type SignedApproval,
} from '@cmdop/protocol'

let made = 0

/** What a relay is to a machine: an id, a key, permits and approvals. */
export interface TestRelay {
  readonly options: { machineId: string; fleetId: string; relayId: string; relayPublicKey: string }
  /** A call with a permit for it; `change` makes the permit another one before it is signed. */
  signed(open: Partial<Open>, change?: Partial<Permit>): Open
  /** An approval of the action of this digest; `change` makes it another one before it is signed. */
  approved(actionDigest: string, change?: Partial<Approval>): SignedApproval
}

/** A relay with a key of its own. */
export function createTestRelay(): TestRelay {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const options = {
    machineId: 'mch_one',
    fleetId: 'flt_one',
    relayId: 'rly_one',
    relayPublicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  }
  const signed = (given: Partial<Open>, change: Partial<Permit> = {}): Open => {
    made += 1
    const open: Open = {
      method: 'exec',
      target: options.machineId,
      params: { command: ['true'] },
      callId: `call_${process.pid}_${String(made).padStart(8, '0')}`,
      window: 65_536,
      ...given,
    }
    const { method, target, callId, params, deadlineMs } = open
    const now = Date.now()
    const permit: Permit = {
      version: 1,
      id: `per_${made}`,
      relayId: options.relayId,
      fleetId: options.fleetId,
      machineId: options.machineId,
      principalId: 'prn_one',
      principalKind: 'human',
      principalName: 'One',
      onBehalfOf: null,
      action: method,
      digest: createHash('sha256').update(actionText({ method, target, callId, params, deadlineMs })).digest('hex'),
      callId,
      restrictions: {},
      approvalId: null,
      intentId: 'aud_one',
      issuedAt: now,
      expiresAt: now + PERMIT_TTL_MS,
      ...change,
    }
    const body = canonicalJson(permit)
    const signature = sign(null, Buffer.from(permitText(body)), privateKey).toString('base64url')
    return { ...open, permit: { body, signature } }
  }
  const approved = (digest: string, change: Partial<Approval> = {}): SignedApproval => {
    made += 1
    const approval: Approval = {
      version: 1,
      approvalId: 'apr_one',
      useId: `apr_one:${made}`,
      relayId: options.relayId,
      fleetId: options.fleetId,
      machineId: options.machineId,
      actionDigest: digest,
      planDigest: createHash('sha256')
        .update(planText([digest]))
        .digest('hex'),
      words: [],
      requesterId: 'prn_one',
      requesterKind: 'human',
      requirement: [{ from: 'member', n: 1 }],
      approvedBy: ['prn_two'],
      expiresAt: Date.now() + 60_000,
      ...change,
    }
    const body = canonicalJson(approval)
    return { body, signature: sign(null, Buffer.from(approvalText(body)), privateKey).toString('base64url') }
  }
  return { options, signed, approved }
}
