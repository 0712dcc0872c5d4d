import { createAgent, RunError } from '@cmdop/agent'
import type { Figure, Measurement } from '../figure.ts'
import { createInstantMachine } from '../loop/instant-machine.ts'
import { createInstantModel } from '../loop/instant-model.ts'
import { distributionOf, inMilliseconds } from '../statistics.ts'
import { startWorld } from '../world.ts'

/** Steps that were taken before a run stopped. */
const STEPS = 100
const ROUNDS = 20
const WARM_UP_ROUNDS = 5

const BOUND_MS = 100

/** How long it takes until a run that stopped asks its model again. */
export const resumeFigure: Figure = {
  id: 'resume',
  title: 'Resume of a run of 100 steps',
  async measure(progress) {
    await using world = await startWorld()
    const machine = createInstantMachine(world.machine)
    const times: number[] = []
    for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
      if (round % 5 === 0) progress(`round ${round} of ${ROUNDS}`)
      const runId = await stoppedRun(machine)
      let asked = 0
      const model = createInstantModel(1, () => {
        asked = performance.now()
        throw new Error('The model is away.')
      })
      const agent = createAgent({ machine, model, env: {}, maxRetries: 0 })
      const began = performance.now()
      await agent.resume(runId).catch(() => undefined)
      if (asked === 0) throw new Error('Expected the resumed run to ask its model.')
      if (round >= 0) times.push(asked - began)
    }
    return report(times)
  },
}

/** A run whose model went away after so many steps. */
async function stoppedRun(machine: ReturnType<typeof createInstantMachine>): Promise<string> {
  let asked = 0
  const model = createInstantModel(STEPS * 2, () => {
    asked += 1
    if (asked > STEPS) throw new Error('The model is away.')
  })
  const running = createAgent({ machine, model, env: {}, maxRetries: 0 }).run('Check it.', {
    budget: { steps: STEPS * 2 },
  })
  const error: unknown = await running.catch((reason: unknown) => reason)
  if (!(error instanceof RunError) || error.result.steps.length !== STEPS)
    throw new Error(`Expected a run that stopped after ${STEPS} steps.`, { cause: error })
  return error.result.runId
}

function report(times: readonly number[]): Measurement {
  const { p50, p90 } = distributionOf(times)
  const row = { peer: '', ratio: '' }
  return {
    rows: [
      {
        ...row,
        what: 'until the model is asked, p50',
        ours: inMilliseconds(p50),
        bound: `at most ${inMilliseconds(BOUND_MS)}`,
        met: p50 <= BOUND_MS,
      },
      { ...row, what: 'until the model is asked, p90', ours: inMilliseconds(p90), bound: '', met: undefined },
    ],
    notes: [
      `${ROUNDS} rounds after ${WARM_UP_ROUNDS} to warm up; each resumes a run of its own that stopped after ${STEPS} steps with a command each.`,
      'From the call of `agent.resume` until the model is asked: the journal is read from a relay in a process of its own, checked, gone through, and the resumption is durable. Machine and model answer at once, in process.',
    ],
  }
}
