import type { Figure, Measurement } from '../figure.ts'
import { type AgentRun, openaiAgents, ours, toolLoopAgent } from '../loop/peer-agents.ts'
import { Child } from '../processes/child.ts'
import { startWorld } from '../world.ts'
import { asRatio, distributionOf, inMilliseconds, timed } from '../statistics.ts'

/** Calls of the model in one run: tools first, then a text. */
const STEPS = 20
const ROUNDS = 40
/** Until the relay's log of writes has its size: a file that grows is flushed more slowly. */
const WARM_UP_ROUNDS = 20

const JOURNAL_BOUND_MS = 2

type Name = 'ours' | 'journaled' | 'toolLoopAgent' | 'openaiAgents'

/** A whole step of an agent over HTTP, against the agents that people use instead. */
export const agentsFigure: Figure = {
  id: 'agents',
  title: 'A step of an agent over HTTP, with a model that answers at once',
  async measure(progress) {
    const { child, ready } = await Child.start({ entry: 'model-process.ts', arguments: [String(STEPS)] })
    await using _ = child
    const url = String(ready['url'])
    await using world = await startWorld()
    const runs: Record<Name, AgentRun> = {
      ours: ours(url, STEPS),
      journaled: ours(url, STEPS, world.machine),
      toolLoopAgent: toolLoopAgent(url, STEPS),
      openaiAgents: openaiAgents(url, STEPS),
    }
    const times: Record<Name, number[]> = { ours: [], journaled: [], toolLoopAgent: [], openaiAgents: [] }
    for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
      if (round >= 0 && round % 10 === 0) progress(`round ${round} of ${ROUNDS}`)
      for (const [name, run] of Object.entries(runs) as [Name, AgentRun][]) {
        const time = (await timed(run)) / STEPS
        if (round >= 0) times[name].push(time)
      }
    }
    return report(times)
  },
}

function report(times: Readonly<Record<Name, readonly number[]>>): Measurement {
  const p50 = (name: Name): number => distributionOf(times[name]).p50
  const p90 = (name: Name): number => distributionOf(times[name]).p90
  const fastest = Math.min(p50('toolLoopAgent'), p50('openaiAgents'))
  const peers = (of: (name: Name) => number): string =>
    `ToolLoopAgent: ${inMilliseconds(of('toolLoopAgent'))}, @openai/agents: ${inMilliseconds(of('openaiAgents'))}`
  const journal = p50('journaled') - p50('ours')
  return {
    rows: [
      {
        what: 'step, p50',
        ours: inMilliseconds(p50('ours')),
        peer: peers(p50),
        ratio: asRatio(fastest / p50('ours')),
        bound: 'not slower than the faster one',
        met: p50('ours') <= fastest,
      },
      { what: 'step, p90', ours: inMilliseconds(p90('ours')), peer: peers(p90), ratio: '', bound: '', met: undefined },
      {
        what: 'added by the journal on the relay, p50',
        ours: inMilliseconds(journal),
        peer: '',
        ratio: '',
        bound: `at most ${inMilliseconds(JOURNAL_BOUND_MS)}`,
        met: journal <= JOURNAL_BOUND_MS,
      },
    ],
    notes: [
      `${ROUNDS} alternating rounds of ${STEPS} steps each, after ${WARM_UP_ROUNDS} to warm up; a run's time over its steps. Every run is streamed to its end.`,
      'The model is an HTTP server in a process of its own that speaks the OpenAI Chat stream; each step has the whole conversation in it.',
      'ours: `runStream` on a machine on which every command has ended already; gate, fence, redaction and record included. The journal is on a relay in a process of its own, which flushes each entry to its disk before it answers.',
      'peers: `ToolLoopAgent` of `ai`, and `run` of `@openai/agents` with its tracing off, with a tool that gives the same text at once.',
    ],
  }
}
