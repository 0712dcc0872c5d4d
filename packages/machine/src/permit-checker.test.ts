import { type Open, PERMIT_TTL_MS, type Permit } from '@cmdop/protocol'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { PermitChecker } from './permit-checker.ts'
import { createTestRelay } from './testing/test-relay.ts'

const relay = createTestRelay()
afterEach(() => vi.useRealTimers())
const newChecker = () => new PermitChecker(relay.options)

function refusal(open: Open, checker = newChecker()): string {
  try {
    checker.take(open)
  } catch (error) {
    expect(error).toMatchObject({ code: 'permit', retryable: false })
    return (error as Error).message
  }
  throw new Error('The permit was taken.')
}

describe('a permit', () => {
  test('of the pinned relay for exactly this call is taken', () => {
    expect(newChecker().take(relay.signed({ deadlineMs: 5 }))).toMatchObject({ principalId: 'prn_one', action: 'exec' })
  })

  test('that is missing is refused', () => {
    const { permit: _, ...open } = relay.signed({})
    expect(refusal(open)).toContain('is missing')
  })

  test('of another key is refused, whatever it says', () => {
    expect(refusal(createTestRelay().signed({}))).toContain('is not signed by the relay')
  })

  test('whose text was changed after signing is refused', () => {
    const open = relay.signed({})
    const body = open.permit?.body.replace('prn_one', 'prn_two') ?? ''
    expect(refusal({ ...open, permit: { body, signature: open.permit?.signature ?? '' } })).toContain('is not signed')
  })

  test('with a signature that is none is refused', () => {
    const open = relay.signed({})
    for (const signature of ['', 'AAAA', '!', 'A'.repeat(86)]) {
      expect(refusal({ ...open, permit: { body: open.permit?.body ?? '', signature } })).toContain('is not signed')
    }
  })

  const others: [string, Partial<Permit>, string][] = [
    ['machine', { machineId: 'mch_two' }, 'is for another machine'],
    ['fleet', { fleetId: 'flt_two' }, 'is of another fleet or relay'],
    ['relay', { relayId: 'rly_two' }, 'is of another fleet or relay'],
    ['method', { action: 'file.read' }, 'is for another call'],
    ['call', { callId: 'call_another' }, 'is for another call'],
    ['digest', { digest: 'ab'.repeat(32) }, 'is for other parameters'],
  ]
  for (const [what, change, message] of others) {
    test(`for another ${what} is refused`, () => expect(refusal(relay.signed({}, change))).toContain(message))
  }

  test('does not fit a call that was changed on the way', () => {
    const open = relay.signed({ params: { command: ['true'] }, deadlineMs: 1000 })
    expect(refusal({ ...open, params: { command: ['rm', '-rf', '/'] } })).toContain('is for other parameters')
    expect(refusal({ ...open, params: { command: ['true'], env: {} } })).toContain('is for other parameters')
    expect(refusal({ ...open, deadlineMs: 2000 })).toContain('is for other parameters')
    const { deadlineMs: _, ...endless } = open
    expect(refusal(endless)).toContain('is for other parameters')
    expect(refusal({ ...open, callId: 'call_another' })).toContain('is for another call')
    expect(refusal({ ...open, target: 'mch_two' })).toContain('is for another machine')
    expect(refusal({ ...open, method: 'file.read' })).toContain('is for another call')
  })

  test('may ask for restrictions of what it lets run, under any of their names', () => {
    for (const method of ['exec', 'session.open'])
      for (const restrictions of [{ readOnly: true }, { dry_run: true, no_network: true }, { noDelete: false }])
        expect(newChecker().take(relay.signed({ method }, { restrictions }))).toMatchObject({ action: method })
  })

  test('asking for a restriction that is not known, or where none is held, is refused', () => {
    expect(refusal(relay.signed({}, { restrictions: { noGravity: true } }))).toContain('does not know')
    expect(refusal(relay.signed({}, { restrictions: { readOnly: 'yes' } }))).toContain('does not know')
    for (const method of ['file.write', 'exec.attach', 'session.attach', 'session.execute'])
      expect(refusal(relay.signed({ method }, { restrictions: { readOnly: true } }))).toContain(method)
    expect(newChecker().take(relay.signed({ method: 'file.write' }))).toMatchObject({ action: 'file.write' })
  })

  test('is taken once, also in the company of others', () => {
    const checker = newChecker()
    const opens = Array.from({ length: 5 }, () => relay.signed({}))
    for (const open of opens) checker.take(open)
    for (const open of opens) expect(refusal(open, checker)).toContain('was used before')
  })

  test('that was refused for something else can still be used', () => {
    const checker = newChecker()
    const open = relay.signed({})
    refusal({ ...open, params: {} }, checker)
    expect(checker.take(open)).toMatchObject({ action: 'exec' })
  })

  test('that has expired is refused', () => {
    expect(refusal(relay.signed({}, { expiresAt: Date.now() - 1 }))).toContain('has expired')
  })

  test('expires by the clock of the relay', () => {
    const checker = newChecker()
    checker.synchronise(Date.now() - 3_600_000)
    expect(checker.take(relay.signed({}, { expiresAt: Date.now() - 3_590_000 }))).toMatchObject({ action: 'exec' })
    checker.synchronise(Date.now() + 3_600_000)
    expect(refusal(relay.signed({}), checker)).toContain('has expired')
  })

  test('that was used cannot be used after it is forgotten, because it has expired by then', () => {
    const checker = newChecker()
    const open = relay.signed({})
    checker.take(open)
    checker.synchronise(Date.now() + PERMIT_TTL_MS + 1)
    checker.take(relay.signed({}, { expiresAt: Date.now() + 3 * PERMIT_TTL_MS }))
    expect(refusal(open, checker)).toContain('has expired')
  })

  test('of a newer form is refused', () => {
    expect(refusal(relay.signed({}, { version: 2 } as unknown as Permit))).toContain('form')
    expect(refusal(relay.signed({}, { more: 1 } as unknown as Permit))).toContain('form')
  })
})

test('what must not begin late is judged by the clock that is ahead: the process’s own, or that of a system that slept', () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const checker = newChecker()
  const told = Date.now() + 3_600_000
  checker.synchronise(told)
  vi.setSystemTime(Date.now() + 600_000)
  expect(checker.relayNow - told).toBeLessThan(60_000)
  expect(checker.latestNow - told).toBeGreaterThanOrEqual(600_000)
  vi.setSystemTime(Date.now() - 1_200_000)
  expect(checker.latestNow).toBeGreaterThanOrEqual(told)
})
