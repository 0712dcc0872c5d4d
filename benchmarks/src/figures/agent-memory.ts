import type { Figure } from '../figure.ts'
import { Child } from '../processes/child.ts'
import { inKilobytes, inMilliseconds } from '../statistics.ts'

const RUNS = 500
const STEPS = 10
const BOUND_BYTES = 1_000_000

/** Memory of a process in which many runs stream side by side. */
export const agentMemoryFigure: Figure = {
  id: 'agent-memory',
  title: `${RUNS} streaming runs of ${STEPS} steps in one process`,
  async measure() {
    const model = await Child.start({ entry: 'model-process.ts', arguments: [String(STEPS)] })
    await using opened = new AsyncDisposableStack()
    opened.use(model.child)
    const { child, ready } = await Child.start({
      entry: 'agent-runs-process.ts',
      arguments: [String(model.ready['url']), String(RUNS), String(STEPS)],
      nodeOptions: ['--expose-gc'],
    })
    opened.use(child)
    const completed = Number(ready['completed'])
    const bytes = Number(ready['grownBytes']) / RUNS
    return {
      rows: [
        {
          what: 'memory of each run, at the peak',
          ours: inKilobytes(bytes),
          peer: '',
          ratio: '',
          bound: `at most ${inKilobytes(BOUND_BYTES)}`,
          met: bytes <= BOUND_BYTES,
        },
        {
          what: 'runs completed',
          ours: String(completed),
          peer: '',
          ratio: '',
          bound: String(RUNS),
          met: completed === RUNS,
        },
        {
          what: 'all together',
          ours: inMilliseconds(Number(ready['durationMs'])),
          peer: '',
          ratio: '',
          bound: '',
          met: undefined,
        },
      ],
      notes: [
        `All ${RUNS} runs begin at once, in a process that has run 20 before; its resident memory is read every 10 ms, and what it grew at its most is divided by the runs.`,
        'The model is an HTTP server in a process of its own that answers at once; the machine of each run is one on which every command has ended already.',
      ],
    }
  },
}
