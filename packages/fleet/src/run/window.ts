import { CmdopError, type Labels } from '@cmdop/protocol'
import pLimit, { type LimitFunction } from 'p-limit'

/** Machines at once: of all, and of those with the same value of a label: `{ total: 50, per: { zone: 1 } }`. */
export interface Concurrency {
  /** Default 32. */
  readonly total?: number | undefined
  readonly per?: Readonly<Record<string, number>> | undefined
}

/** Machines at once unless chosen. */
export const DEFAULT_CONCURRENCY = 32

/** Runs the work on a machine with these labels once there is room. */
export type Window = <Result>(labels: Labels, work: () => Promise<Result>) => Promise<Result>

/**
 * A sliding window: as one machine ends, the next begins. Whoever waits for room within a label holds none of the whole. Machines
 * without the label are not held by its limit. Throws `validation`.
 */
export function createWindow(concurrency: number | Concurrency = {}): Window {
  const { total = DEFAULT_CONCURRENCY, per = {} } =
    typeof concurrency === 'number' ? { total: concurrency } : concurrency
  const whole = limitOf(total, 'concurrency')
  // In one order for all, so that no two wait for each other.
  const limits = Object.entries(per)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([label, count]) => ({ label, ofValue: perValue(count, label) }))
  return <Result>(labels: Labels, work: () => Promise<Result>) => {
    const held = limits.flatMap(({ label, ofValue }) => {
      const value = labels[label]
      return value === undefined ? [] : [ofValue(value)]
    })
    const inWhole = () => whole(work)
    return held.reduceRight<() => Promise<Result>>((inner, limit) => () => limit(inner), inWhole)()
  }
}

function perValue(count: number, label: string): (value: string) => LimitFunction {
  const limits = new Map<string, LimitFunction>()
  // Checked now, not at the first machine.
  limitOf(count, `concurrency per ${label}`)
  return (value) => {
    const limit = limits.get(value) ?? pLimit(count)
    limits.set(value, limit)
    return limit
  }
}

function limitOf(count: number, what: string): LimitFunction {
  if (Number.isSafeInteger(count) && count >= 1) return pLimit(count)
  throw new CmdopError('validation', `Expected ${what} to be a whole number from 1, got ${count}.`)
}
