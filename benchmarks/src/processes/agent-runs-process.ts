/** Runs many agents side by side and says what they took. Arguments: the model's address, runs, steps of each. */
import { createOpenAI } from '@ai-sdk/openai'
import { createAgent } from '@cmdop/agent'
import { createInstantMachine } from '../loop/instant-machine.ts'

const [url = '', count = '0', steps = '0'] = process.argv.slice(2)
const model = createOpenAI({ apiKey: 'instant', baseURL: url }).chat('instant')

await runs(20)
for (let round = 0; round < 4; round += 1) {
  globalThis.gc?.()
  await new Promise((resolve) => setTimeout(resolve, 100))
}
const before = process.memoryUsage.rss()
let peak = before
const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 10)
const started = performance.now()
const completed = await runs(Number(count))
clearInterval(timer)
process.send?.({ type: 'ready', completed, grownBytes: peak - before, durationMs: performance.now() - started })
process.on('disconnect', () => process.exit(0))

async function runs(number: number): Promise<number> {
  const results = await Promise.all(
    Array.from({ length: number }, async (_, index) => {
      // A machine of its own for each: commands on one machine run one at a time.
      const machine = { ...createInstantMachine(), id: `mch_${index}` }
      const stream = createAgent({ machine, model, env: {} }).runStream('Check it.', {
        budget: { steps: Number(steps) },
      })
      for await (const _ of stream);
      return (await stream.result).steps.length === Number(steps)
    }),
  )
  return results.filter(Boolean).length
}
