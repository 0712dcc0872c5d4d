import { isCmdopError } from '@cmdop/protocol'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { FleetRunChange, FleetRunRow } from '../store/fleet-run-store.ts'
import * as transitions from './run-transitions.ts'

const AT = '2030-01-01T00:00:00.000Z'

const begun: FleetRunRow = {
  id: 'run',
  fleetId: 'flt_one',
  principalId: 'prn_one',
  kind: 'exec',
  title: '',
  plan: '{}',
  planDigest: 'ab'.repeat(32),
  state: 'running',
  stop: null,
  wait: null,
  continuedWave: 0,
  generation: 0,
  epoch: 1,
  cancelRequestedAt: null,
  createdAt: AT,
  updatedAt: AT,
}

type Act = (run: FleetRunRow) => FleetRunChange

const wave = fc.integer({ min: 1, max: 3 })
const waits = fc.oneof(
  wave.map((number) => ({ for: 'person' as const, wave: number, reason: 'look' })),
  fc.constant({ for: 'approval' as const, approvalId: 'apr_1' }),
  fc.constant(null),
)
const act: fc.Arbitrary<{ name: string; act: Act }> = fc.oneof(
  fc.constant({ name: 'cancel', act: (run: FleetRunRow) => transitions.cancelled(run, AT) }),
  fc.constant({ name: 'pause', act: (run: FleetRunRow) => transitions.paused(run, 'wait') }),
  fc.constant({ name: 'continue', act: transitions.continued }),
  fc.constant({
    name: 'resume',
    act: (run: FleetRunRow) => transitions.claimed(run, { isAgain: false, isRetry: true }),
  }),
  fc.constant({ name: 'again', act: (run: FleetRunRow) => transitions.claimed(run, { isAgain: true, isRetry: true }) }),
  waits.map((wait) => ({
    name: 'wait',
    act: (run: FleetRunRow) => transitions.recorded(run, { epoch: run.epoch, wait }),
  })),
  fc.constantFrom('ended' as const, 'stopped' as const).map((state) => ({
    name: 'end',
    act: (run: FleetRunRow) => transitions.recorded(run, { epoch: run.epoch, state }),
  })),
  fc.constant({
    name: 'former',
    act: (run: FleetRunRow) => transitions.recorded(run, { epoch: run.epoch - 1, state: 'ended' }),
  }),
)

test('whatever scripts and people do, a cancelled run stays so until somebody does it again, and a paused one says for what it waits', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 20 }), (acts) => {
      let run = begun
      for (const { name, act: decide } of acts) {
        const before = run
        try {
          run = { ...run, ...decide(run) }
        } catch (error) {
          if (!isCmdopError(error)) throw error
          expect(error.code).toBe('conflict')
        }
        expect(run.state === 'paused').toBe(run.wait !== null)
        if (before.state === 'cancelled' && name !== 'again') expect(run.state).toBe('cancelled')
        // What people hold only people let go, or end.
        if (before.wait?.for === 'person' && run.wait?.for !== 'person')
          expect(['continue', 'cancel', 'again', 'end']).toContain(name)
        if (name === 'former') expect(run).toEqual(before)
        if (run.wait?.for === 'person' && run.wait.wave !== null)
          expect(run.wait.wave).toBeGreaterThan(run.continuedWave)
      }
    }),
    { numRuns: 1000 },
  )
})
