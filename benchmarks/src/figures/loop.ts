import { createAgent } from '@cmdop/agent'
import { z } from 'zod'
import type { Figure, Measurement } from '../figure.ts'
import { type Conversation, conversationOf, runBareSteps } from '../loop/bare-steps.ts'
import { createInstantMachine } from '../loop/instant-machine.ts'
import { type CallOptions, createInstantModel } from '../loop/instant-model.ts'
import { asRatio, distributionOf, inMilliseconds, timed } from '../statistics.ts'

/** Calls of the model in one run: tools first, then the answer. */
const STEPS = 20
const ROUNDS = 60
const WARM_UP_ROUNDS = 20

const BOUND_MS = 0.2

const Answer = z.object({ ok: z.boolean() })

/** What our loop adds to a step of the AI SDK: nothing in it waits for a model or a machine. */
export const loopFigure: Figure = {
  id: 'loop',
  title: 'Operator loop per step',
  async measure(progress) {
    const times = { ours: [] as number[], bare: [] as number[] }
    const conversation = await recordConversation()
    for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
      if (round >= 0 && round % 20 === 0) progress(`round ${round} of ${ROUNDS}`)
      const [bare, ours] = [await timed(() => runBare(conversation)), await timed(() => runAgent())]
      if (round < 0) continue
      times.bare.push(bare / STEPS)
      times.ours.push(ours / STEPS)
    }
    return report(times)
  },
}

/** What our loop says to a model, from a run that is not counted. */
async function recordConversation(): Promise<Conversation> {
  const calls: CallOptions[] = []
  await runAgent((options) => calls.push(options))
  const [, second] = calls
  if (second === undefined) throw new Error('Expected the run to have a second step.')
  return conversationOf(second)
}

async function runAgent(see?: (options: CallOptions) => void): Promise<void> {
  const model = createInstantModel(STEPS, see)
  const { output, steps } = await createAgent({ machine: createInstantMachine(), model, env: {} }).run('Check it.', {
    outputSchema: Answer,
    budget: { steps: STEPS + 1 },
  })
  if (!output.ok || steps.length !== STEPS) throw new Error(`Expected ${STEPS} steps, got ${steps.length}.`)
}

async function runBare(conversation: Conversation): Promise<void> {
  const steps = await runBareSteps(createInstantModel(STEPS), conversation)
  if (steps !== STEPS) throw new Error(`Expected ${STEPS} steps, got ${steps}.`)
}

function report(times: { ours: readonly number[]; bare: readonly number[] }): Measurement {
  const [ours, bare] = [distributionOf(times.ours), distributionOf(times.bare)]
  const added = ours.p50 - bare.p50
  const line = (what: string, point: 'p50' | 'p90' | 'p99') => ({
    what,
    ours: inMilliseconds(ours[point]),
    peer: `AI SDK: ${inMilliseconds(bare[point])}`,
    ratio: asRatio(ours[point] / bare[point]),
    bound: '',
    met: undefined,
  })
  return {
    rows: [
      {
        what: 'added per step, p50',
        ours: inMilliseconds(added),
        peer: `AI SDK: ${inMilliseconds(bare.p50)}`,
        ratio: asRatio(ours.p50 / bare.p50),
        bound: `at most ${inMilliseconds(BOUND_MS)}`,
        met: added <= BOUND_MS,
      },
      line('whole step, p50', 'p50'),
      line('whole step, p90', 'p90'),
    ],
    notes: [
      `${ROUNDS} alternating rounds of ${STEPS} steps each, after ${WARM_UP_ROUNDS} to warm up; a run's time over its steps.`,
      'ours: `createAgent({ machine, model }).run(...)` with an answer schema, a machine and a model in process that answer at once.',
      'peer: `streamText` of `ai` for each step with the same model, the same tools without `execute`, and the same growing conversation, read to its end.',
    ],
  }
}
