import * as z from 'zod'
import { createAgent } from './index.ts'
import { localMachine } from './testing/local-machine.ts'
import { sampleFacts } from './testing/sample-facts.ts'
const H = z.object({
  hostname: z.string(),
  cpu_percent: z.number(),
  memory_percent: z.number(),
  disk_free_gb: z.number(),
  services: z.array(z.string()),
  issues: z.array(z.string()),
})
const agent = createAgent({ machine: localMachine(sampleFacts()), env: {} })
for await (const e of agent.runStream('Check health', { outputSchema: H })) console.dir(e, { depth: 4 })
