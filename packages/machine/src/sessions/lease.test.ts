import { LEASE_IDLE_MS, type Participant } from '@cmdop/protocol'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { InputLease } from './lease.ts'

const operator = (name: string, principalKind: Participant['principalKind'] = 'human'): Participant => ({
  participantId: `call_${name}`,
  principalId: `prn_${name}`,
  principalKind,
  name,
})
const [ada, bob, cyd] = [operator('ada'), operator('bob'), operator('cyd')]

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('a lease', () => {
  test('of an idle holder goes to the first who waits, and stays while nobody does', () => {
    using lease = new InputLease(() => {})
    lease.takeFree(ada)
    vi.advanceTimersByTime(10 * LEASE_IDLE_MS)
    expect(lease.isHeldBy(ada)).toBe(true)
    lease.touch()
    lease.request(bob)
    lease.request(cyd)
    lease.request(cyd)
    expect(lease.notice.waiting.map(({ name }) => name)).toEqual(['bob', 'cyd'])
    vi.advanceTimersByTime(LEASE_IDLE_MS - 10)
    lease.touch()
    vi.advanceTimersByTime(LEASE_IDLE_MS - 10)
    expect(lease.isHeldBy(ada)).toBe(true)
    vi.advanceTimersByTime(20)
    expect(lease.isHeldBy(bob)).toBe(true)
    vi.advanceTimersByTime(LEASE_IDLE_MS + 10)
    expect(lease.isHeldBy(cyd)).toBe(true)
    expect(lease.notice.waiting).toEqual([])
  })

  test('is given at once when it is asked for and its holder is idle', () => {
    using lease = new InputLease(() => {})
    lease.takeFree(ada)
    vi.advanceTimersByTime(LEASE_IDLE_MS)
    lease.request(bob)
    expect(lease.isHeldBy(bob)).toBe(true)
  })

  test('has a line of four', () => {
    using lease = new InputLease(() => {})
    lease.takeFree(ada)
    for (const name of ['one', 'two', 'three', 'four']) lease.request(operator(name))
    expect(() => lease.request(bob)).toThrow(expect.objectContaining({ code: 'conflict' }))
    lease.release(operator('two'))
    lease.request(bob)
    expect(lease.notice.waiting.map(({ name }) => name)).toEqual(['one', 'three', 'four', 'bob'])
  })

  test.each([
    ['human', 'ai', true],
    ['human', 'service', true],
    ['human', 'schedule', true],
    ['human', 'human', false],
    ['ai', 'human', false],
    ['ai', 'ai', false],
    ['service', 'ai', false],
  ] as const)('may be taken by %s from %s: %s', (taker, holder, may) => {
    using lease = new InputLease(() => {})
    lease.takeFree(operator('holder', holder))
    const take = () => lease.take(operator('taker', taker))
    if (may) take()
    else expect(take).toThrow(expect.objectContaining({ code: 'conflict' }))
    expect(lease.isHeldBy(operator('taker'))).toBe(may)
  })

  test('is of a principal: the id of its holder, or of who waits, is of no use to another one', () => {
    using lease = new InputLease(() => {})
    const impostor = { ...bob, participantId: ada.participantId }
    lease.takeFree(ada)
    expect(lease.isHeldBy(impostor)).toBe(false)
    expect(lease.takeFree(impostor)).toBe(false)
    expect(() => lease.take(impostor)).toThrow(expect.objectContaining({ code: 'conflict' }))
    expect(() => lease.grant(impostor, cyd)).toThrow(expect.objectContaining({ code: 'conflict' }))
    lease.release(impostor)
    expect(lease.isHeldBy(ada)).toBe(true)
    lease.request(cyd)
    lease.release({ ...bob, participantId: cyd.participantId })
    lease.request({ ...bob, participantId: cyd.participantId })
    expect(lease.notice.waiting.map(({ name }) => name)).toEqual(['cyd', 'bob'])
  })

  test('may always be taken from oneself', () => {
    using lease = new InputLease(() => {})
    lease.takeFree({ ...ada, participantId: 'call_other' })
    lease.take(ada)
    expect(lease.isHeldBy(ada)).toBe(true)
  })
})
