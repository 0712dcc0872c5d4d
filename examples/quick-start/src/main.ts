import { createAgent, embedded } from 'cmdop'
import { z } from 'zod'

await using local = await embedded()
const uptime = await local.machine.exec(['uptime'], { deadlineMs: 5000 })
process.stdout.write(uptime.stdout)

const Health = z.object({ hostname: z.string(), memory_percent: z.number(), issues: z.array(z.string()) })
const agent = createAgent({ machine: local.machine })
const { output, model } = await agent.run('Check server health', { outputSchema: Health })
process.stdout.write(`${output.hostname}: ${output.memory_percent} % memory used, says ${model.id}\n`)
for (const issue of output.issues) process.stdout.write(`- ${issue}\n`)
