import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { promisify } from 'node:util'
import {
  actionText,
  type Approval,
  approvalText,
  canonicalJson,
  isRestricted,
  type Open,
  PERMIT_TTL_MS,
  Permit,
  permitText,
  restrictable,
  type Restrictions,
  type SignedApproval,
  type SignedPermit,
} from '@cmdop/protocol'
import type { Caller } from './auth/authenticate.ts'
import { newId } from './auth/secrets.ts'
import type { MachineRow, RelayKeyRow } from './store/store.ts'

/** On a thread of Node's pool: the one that decides about calls has others to decide about. */
const signAside = promisify(sign)

/** Signs what a machine may run. */
export class PermitSigner {
  readonly relayId: string
  readonly #privateKey: KeyObject
  readonly #publicKey: KeyObject

  constructor(key: RelayKeyRow) {
    this.relayId = key.relayId
    this.#privateKey = createPrivateKey(key.privateKey)
    this.#publicKey = createPublicKey(key.publicKey)
  }

  /** A permit for exactly this call, once, within {@link PERMIT_TTL_MS}. It is given away only once the intent is written. */
  async sign(call: {
    approvalId: string | null
    open: Open
    caller: Caller
    machine: MachineRow
    action: string
    digest: string
    intentId: string
  }): Promise<SignedPermit> {
    const { open, caller, machine } = call
    const now = Date.now()
    const body = canonicalJson({
      version: 1,
      id: newId('per_'),
      relayId: this.relayId,
      fleetId: machine.fleetId,
      machineId: machine.id,
      principalId: caller.principalId,
      principalKind: caller.principal.kind,
      principalName: caller.principal.name,
      onBehalfOf: caller.principal.actsForId,
      action: call.action,
      digest: call.digest,
      callId: open.callId,
      restrictions: claimed(open) ?? {},
      approvalId: call.approvalId,
      intentId: call.intentId,
      issuedAt: now,
      expiresAt: now + PERMIT_TTL_MS,
    } satisfies Permit)
    const signature = await signAside(null, Buffer.from(permitText(body)), this.#privateKey)
    return { body, signature: signature.toString('base64url') }
  }

  /** That people have approved exactly this, for the machine to check. */
  signApproval(approval: Omit<Approval, 'relayId'>): SignedApproval {
    const body = canonicalJson({ ...approval, relayId: this.relayId } satisfies Approval)
    return { body, signature: sign(null, Buffer.from(approvalText(body)), this.#privateKey).toString('base64url') }
  }

  /** Whether a permit was signed with this key; for one that another relay forwards. */
  verifies(permit: SignedPermit): boolean {
    return verify(
      null,
      Buffer.from(permitText(permit.body)),
      this.#publicKey,
      Buffer.from(permit.signature, 'base64url'),
    )
  }
}

/** What a call says that its session holds it to, where the machine can hold it to its word. */
export function claimed({ method, under }: Pick<Open, 'method' | 'under'>): Restrictions | undefined {
  return isRestricted(under) && restrictable(method) ? under : undefined
}

/** SHA-256 of the action, hex: what permit and audit row are bound to. */
export function actionDigest(open: Open): string {
  const { method, target, callId, params, deadlineMs } = open
  return createHash('sha256').update(actionText({ method, target, callId, params, deadlineMs })).digest('hex')
}
