import { createPublicKey, verify } from 'node:crypto'
import { type Open, PERMIT_TTL_MS, Permit, permitText } from '@cmdop/protocol'
import { describe, expect, test } from 'vitest'
import type { Caller } from './auth/authenticate.ts'
import { proposeRelayKey } from './bootstrap.ts'
import { actionDigest, PermitSigner } from './permits.ts'
import type { MachineRow } from './store/store.ts'

const key = proposeRelayKey()
const signer = new PermitSigner(key)
const open: Open = {
  method: 'exec',
  target: 'mch_one',
  params: { command: ['id'] },
  callId: 'call_one',
  window: 65_536,
}
const principal = {
  id: 'prn_ai',
  fleetId: 'flt_one',
  kind: 'ai',
  name: 'a',
  role: 'member',
  actsForId: 'prn_ada',
  createdAt: '',
} as const
const caller = { principalId: 'prn_ai', fleetId: 'flt_one', role: 'member', principal } as unknown as Caller
const machine = { id: 'mch_one', fleetId: 'flt_one' } as MachineRow
const digest = actionDigest(open)
const sign = () => signer.sign({ open, caller, machine, action: 'exec', digest, intentId: 'aud_one', approvalId: null })

describe('a permit', () => {
  test('says who may do what, for whom, where and how long, signed', async () => {
    const { body, signature } = await sign()
    const permit = Permit.parse(JSON.parse(body))
    expect(permit).toMatchObject({
      relayId: key.relayId,
      fleetId: 'flt_one',
      machineId: 'mch_one',
      principalId: 'prn_ai',
      principalKind: 'ai',
      onBehalfOf: 'prn_ada',
      action: 'exec',
      callId: 'call_one',
      intentId: 'aud_one',
      digest,
    })
    expect(permit.expiresAt - permit.issuedAt).toBe(PERMIT_TTL_MS)
    const isValid = verify(
      null,
      Buffer.from(permitText(body)),
      createPublicKey(key.publicKey),
      Buffer.from(signature, 'base64url'),
    )
    expect(isValid).toBe(true)
  })

  test('is another one each time', async () => {
    expect((await sign()).body).not.toBe((await sign()).body)
  })

  test('is known again by every relay with the key, and by no other', async () => {
    const permit = await sign()
    expect(new PermitSigner(key).verifies(permit)).toBe(true)
    expect(new PermitSigner(proposeRelayKey()).verifies(permit)).toBe(false)
    expect(signer.verifies({ ...permit, body: permit.body.replace('prn_ada', 'prn_eve') })).toBe(false)
    expect(signer.verifies({ ...permit, signature: '' })).toBe(false)
  })
})

test('the digest of an action covers everything that decides what runs, and nothing else', () => {
  const others: Partial<Open>[] = [
    { method: 'file.read' },
    { target: 'mch_two' },
    { callId: 'call_two' },
    { deadlineMs: 1 },
    { params: { command: ['id', '-u'] } },
    { params: { command: 'id' } },
  ]
  for (const change of others) expect(actionDigest({ ...open, ...change })).not.toBe(digest)
  expect(actionDigest({ ...open, window: 4096, traceparent: 'x' })).toBe(digest)
})
