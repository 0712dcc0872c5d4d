import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import * as z from 'zod/v4'
import { createAgent } from '../agent.ts'
import { localMachine } from './local-machine.ts'
import { sampleFacts } from './sample-facts.ts'
import { scriptedModel } from './scripted-model.ts'

/** What parallel runs of this process took together. */
export interface ManyRuns {
  readonly thinkingLines: number
  readonly outputBytes: number
  /** The most by which what they held grew, in bytes: the heap and the buffers outside it after a collection. */
  readonly heldBytes: number
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const outputSchema = z.object({ word: z.string() })

/** Runs side by side, each with a command that puts out `outputBytes` and a model that thinks in `lines` lines, all looked at. */
export async function manyRuns(
  count: number,
  { outputBytes, lines }: { outputBytes: number; lines: number },
): Promise<ManyRuns> {
  const before = memory()
  let peak = before
  const timer = setInterval(() => (peak = Math.max(peak, memory())), 500)
  const seen = { thinkingLines: 0, outputBytes: 0 }
  const thinking = Array.from({ length: lines }, (_, line) => `Line ${line} of what a model thinks.\n`)
  await Promise.all(
    Array.from({ length: count }, async () => {
      const command = `head -c ${outputBytes} /dev/zero | tr '\\0' x`
      const model = scriptedModel([
        {
          thinking,
          calls: [{ tool: 'run_command', input: { command, timeoutSeconds: 3600 } }],
        },
        { calls: [{ tool: 'final_result', input: { word: 'yes' } }] },
      ])
      const stream = createAgent({ machine: localMachine(sampleFacts()), model, env: {} }).runStream('Go', {
        outputSchema,
      })
      for await (const event of stream) {
        if (event.type === 'thinking') seen.thinkingLines += 1
        if (event.type === 'tool_result' && !event.final) seen.outputBytes += event.chunk.content.length
      }
      await stream.result
    }),
  )
  clearInterval(timer)
  return { ...seen, heldBytes: Math.max(peak, memory()) - before }
}

/** Not the resident size: what the allocator keeps of freed pipe buffers of 300 local processes would hide the runs. */
function memory(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
