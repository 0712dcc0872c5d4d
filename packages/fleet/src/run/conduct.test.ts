import * as fc from 'fast-check'
import { CmdopError, isFailure, type OutcomeName, outcomes } from '@cmdop/protocol'
import { expect, test } from 'vitest'
import { Orders } from '../jobs/orders.ts'
import { createFailureLimit } from '../waves/failure-limit.ts'
import { waveSizes } from '../waves/wave-sizes.ts'
import { conduct, type Conducted, type FleetEvent, type Job } from './conduct.ts'
import type { FleetMachine } from './fleet-row.ts'
import { createWindow } from './window.ts'

const names = Object.keys(outcomes).filter((name) => name !== 'skipped') as OutcomeName[]

function machinesOf(count: number): FleetMachine[] {
  return Array.from({ length: count }, (_, index) => {
    const name = `m${index}`
    return { id: name, name, hostname: name, labels: {} }
  })
}

test('however machines end, a run begins none after it has too many failures, and every machine has one row', async () => {
  const play = fc.record({
    ends: fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 30 }),
    sizes: fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 1, maxLength: 3 }),
    max: fc.option(fc.integer({ min: 0, max: 8 }), { nil: undefined }),
    room: fc.integer({ min: 1, max: 8 }),
    cancelAt: fc.option(fc.nat({ max: 30 }), { nil: undefined }),
    stopAfter: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
  })
  await fc.assert(
    fc.asyncProperty(play, async ({ ends, sizes, max, room, cancelAt, stopAfter }) => {
      const machines = machinesOf(ends.length)
      const cancelled = new AbortController()
      const events: FleetEvent<string>[] = []
      const [waves, next] = [[] as FleetMachine[][], { at: 0 }]
      for (const size of waveSizes(machines.length, sizes)) waves.push(machines.slice(next.at, (next.at += size)))
      let failures = 0
      let begun = 0
      let atOnce = 0
      const wrong: string[] = []
      const { rows, stop } = await conduct<string>({
        waves,
        window: createWindow(room),
        limit: createFailureLimit(machines.length, max),
        retries: 0,
        bakeMs: 0,
        check: stopAfter === undefined ? undefined : ({ wave }) => (wave === stopAfter ? 'stop' : 'go'),
        signal: cancelled.signal,
        leave: new AbortController().signal,
        done: new Map(),
        emit: (event) => void events.push(event),
        job: {
          run: async ({ id }) => {
            // Nothing begins after a stop, and never too many at once.
            const told = events.filter((event) => event.type === 'machine-end' && isFailure(event.row.outcome))
            if (told.length > (max ?? Infinity) || cancelled.signal.aborted || (atOnce += 1) > room) wrong.push(id)
            if (begun++ === cancelAt) cancelled.abort()
            for (let turns = Number(id.slice(1)) % 4; turns > 0; turns -= 1) await Promise.resolve()
            const outcome = ends[Number(id.slice(1))] ?? 'ok'
            atOnce -= 1
            if (isFailure(outcome)) failures += 1
            if (outcome === 'denied') throw new CmdopError('permission', 'No.')
            return { outcome, result: id }
          },
        },
      })
      expect(wrong).toEqual([])
      expect(rows.map(({ machine }) => machine.id)).toEqual(machines.map(({ id }) => id))
      expect(rows.filter(({ outcome }) => outcome !== 'skipped')).toHaveLength(begun)
      expect(rows.filter(({ outcome }) => isFailure(outcome))).toHaveLength(failures)
      expect(events.filter(({ type }) => type === 'machine-end')).toHaveLength(machines.length)
      // Whoever cancels is told so, whatever else stopped the run.
      if (cancelled.signal.aborted) expect(stop?.reason).toBe('cancelled')
      else if (failures > (max ?? Infinity)) expect(stop?.reason).toMatch(/failures|check/)
      else expect(stop?.reason).toBe(stopAfter !== undefined && stopAfter < waves.length ? 'check' : undefined)
    }),
    { numRuns: 500 },
  )
})

test('no try begins after the run has stopped, nor while a person holds it', async () => {
  const machines = machinesOf(2)
  const tries: string[] = []
  const play = (job: Job<string>, rest: Partial<Conducted<string>> = {}) =>
    conduct<string>({
      waves: [machines],
      window: createWindow(2),
      limit: createFailureLimit(2, 0),
      retries: 3,
      bakeMs: 0,
      check: undefined,
      signal: new AbortController().signal,
      leave: new AbortController().signal,
      done: new Map(),
      emit: () => {},
      job,
      ...rest,
    })
  const away = Promise.withResolvers<void>()
  const stopped = await play(
    {
      run: async ({ id }) => {
        tries.push(id)
        if (id === 'm1') throw new CmdopError('unavailable', 'Not there.', { retryAfter: 60 })
        await away.promise
        return { outcome: 'failed', result: id }
      },
    },
    { emit: ({ type }) => type === 'machine-retry' && away.resolve() },
  )
  expect(stopped.rows.map(({ outcome, attempts }) => [outcome, attempts])).toEqual([
    ['failed', 1],
    ['unreachable', 1],
  ])
  expect(tries).toEqual(['m0', 'm1'])
  const released = Promise.withResolvers<void>()
  let isHeld = false
  const again: boolean[] = []
  const held = await play(
    {
      run: async ({ id }, { attempt }) => {
        if (id === 'm0') return { outcome: 'ok', result: id }
        again.push(isHeld)
        if (attempt > 1) return { outcome: 'ok', result: id }
        isHeld = true
        throw new CmdopError('unavailable', 'Not there.', { retryAfter: 0.001 })
      },
    },
    {
      holds: {
        free: () => {
          if (!isHeld) return undefined
          setImmediate(() => {
            isHeld = false
            released.resolve()
          })
          return released.promise
        },
        pause: async () => {},
        isContinued: () => false,
      },
    },
  )
  expect(held.rows.map(({ outcome }) => outcome)).toEqual(['ok', 'ok'])
  expect(again).toEqual([false, false])
})

test('what is retryable is tried again as often as it may, and nothing else is', async () => {
  const [machine] = machinesOf(1) as [FleetMachine]
  const tries = async (code: 'unavailable' | 'deadline', retries: number) => {
    let count = 0
    const { rows } = await conduct<string>({
      waves: [[machine]],
      window: createWindow(1),
      limit: createFailureLimit(1, undefined),
      retries,
      bakeMs: 0,
      check: undefined,
      signal: new AbortController().signal,
      leave: new AbortController().signal,
      done: new Map(),
      emit: () => {},
      job: {
        run: async () => {
          count += 1
          if (count === 3) return { outcome: 'ok', result: 'there' }
          throw new CmdopError(code, 'Not now.', { retryAfter: 0.001 })
        },
      },
    })
    return [count, rows[0]?.outcome, rows[0]?.attempts]
  }
  expect(await tries('unavailable', 2)).toEqual([3, 'ok', 3])
  expect(await tries('unavailable', 1)).toEqual([2, 'unreachable', 2])
  expect(await tries('deadline', 5)).toEqual([1, 'timeout', 1])
})

test('a machine whose call was refused as the run was cancelled is skipped, unless calls before may have done something', async () => {
  const [machine] = machinesOf(1) as [FleetMachine]
  const refused = new CmdopError('cancelled', 'The run was cancelled.', { details: { fleetRun: 'cancelled' } })
  const lost = new CmdopError('lost', 'Nobody knows.')
  const play = async (job: Job<string>) => {
    const { rows, stop } = await conduct<string>({
      waves: [[machine]],
      window: createWindow(1),
      limit: createFailureLimit(1, undefined),
      retries: 1,
      bakeMs: 0,
      check: undefined,
      signal: new AbortController().signal,
      leave: new AbortController().signal,
      done: new Map(),
      emit: () => {},
      job,
    })
    return [rows[0]?.outcome, stop?.reason]
  }
  const run = () => Promise.reject(refused)
  expect(await play({ run })).toEqual(['skipped', 'cancelled'])
  expect(await play({ run, hasManyCalls: true })).toEqual(['cancelled', 'cancelled'])
  const orders = new Orders({ delivery: 'at-least-once', retries: 1 })
  const order = (number: number) => Promise.reject(number === 0 ? lost : refused)
  const inDoubt = await play({ mayRepeat: orders.mayRepeat, run: (one, context) => orders.give(one, context, order) })
  expect(inDoubt[0]).toBe('lost')
})
