import { isCmdopError } from '@cmdop/protocol'
import { expect, test } from 'vitest'
import type { RunRow } from '../store/store.ts'
import { type Counted, RunReach } from './run-reach.ts'

const HOUR_MS = 3_600_000

/** A reach of a few counts, whose clock the test moves, with a run of each of two principals. */
function reachOf(maxCounts: number) {
  const clock = { now: 0 }
  let looked = 0
  const rows = new Map<string, Pick<RunRow, 'fleetId' | 'principalId'>>([
    ['own', { fleetId: 'flt_one', principalId: 'prn_one' }],
    ['foreign', { fleetId: 'flt_one', principalId: 'prn_two' }],
  ])
  const get = async (id: string) => {
    looked += 1
    return rows.get(id) as RunRow | undefined
  }
  const reach = new RunReach({ runs: { get }, now: () => clock.now, maxCounts })
  return { reach, clock, rows, looked: () => looked }
}

function callerOf(principalId: string, max: number): Counted {
  return { fleetId: 'flt_one', principalId, reach: [{ principalId, max }] }
}

function codeOf(act: () => void): string {
  try {
    act()
    return 'ok'
  } catch (error) {
    if (isCmdopError(error)) return error.code
    throw error
  }
}

test('A run reaches as many machines as its key may, and each of them as often as it likes', () => {
  const { reach } = reachOf(10)
  const caller = callerOf('prn_one', 2)
  const call = (run: string | null, machine: string) => codeOf(() => reach.count(caller, run, machine))
  expect(['a', 'b', 'a', 'c', 'b'].map((machine) => call('own', machine))).toEqual([
    'ok',
    'ok',
    'ok',
    'permission',
    'ok',
  ])
  expect(call('another', 'c')).toBe('ok')
  expect(call(null, 'd')).toBe('ok')
})

test('A key counts for those that it came from, too', () => {
  const { reach } = reachOf(10)
  const parent = callerOf('prn_one', 2)
  const child = { ...callerOf('prn_two', 2), reach: [...callerOf('prn_two', 2).reach, ...parent.reach] }
  reach.count(parent, null, 'a')
  reach.count(child, null, 'b')
  expect(codeOf(() => reach.count(child, null, 'c'))).toBe('permission')
  expect(codeOf(() => reach.count(parent, null, 'c'))).toBe('permission')
})

test('Without a run a machine counts for an hour', () => {
  const { reach, clock } = reachOf(10)
  const caller = callerOf('prn_one', 1)
  reach.count(caller, null, 'a')
  clock.now = HOUR_MS - 1
  expect(codeOf(() => reach.count(caller, null, 'b'))).toBe('permission')
  clock.now = HOUR_MS
  expect(codeOf(() => reach.count(caller, null, 'b'))).toBe('ok')
})

test('A full table refuses a new run until its oldest one was idle for an hour', () => {
  const { reach, clock } = reachOf(2)
  const caller = callerOf('prn_one', 1)
  reach.count(caller, 'first', 'a')
  reach.count(caller, 'second', 'a')
  clock.now = HOUR_MS - 1
  reach.count(caller, 'first', 'a')
  expect(codeOf(() => reach.count(caller, 'third', 'a'))).toBe('rate_limit')
  clock.now = HOUR_MS
  expect(codeOf(() => reach.count(caller, 'third', 'a'))).toBe('ok')
  expect(codeOf(() => reach.count(caller, 'first', 'b'))).toBe('permission')
})

test('A run that nobody has registered counts as none, is looked up once in a second, and is its owner’s then', async () => {
  const { reach, clock, rows, looked } = reachOf(10)
  const caller = callerOf('prn_one', 1)
  for (let call = 0; call < 5; call += 1) expect(await reach.runOf(caller, 'new')).toBeNull()
  expect(looked()).toBe(1)
  rows.set('new', { fleetId: 'flt_one', principalId: 'prn_two' })
  clock.now = 1000
  await expect(reach.runOf(caller, 'new')).rejects.toMatchObject({ code: 'permission' })
  for (let call = 0; call < 5; call += 1) expect(await reach.runOf(caller, 'own')).toBe('own')
  expect(looked()).toBe(3)
  await expect(reach.runOf(caller, 'foreign')).rejects.toMatchObject({ code: 'permission' })
  await expect(reach.runOf({ ...caller, fleetId: 'flt_two' }, 'own')).rejects.toMatchObject({ code: 'permission' })
})
