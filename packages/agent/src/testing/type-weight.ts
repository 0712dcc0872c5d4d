import * as z from 'zod'
import { z as z3 } from 'zod/v3'
import type { Agent } from '../agent.ts'

/**
 * What a user's file looks like, for the test that counts what the compiler has to do for it. Never called.
 * The schemas are as large as people's are; a third of them is of Zod 3.
 */
export async function weighed(agent: Agent): Promise<string[]> {
  const disk = { mount: z.string(), free: z.number(), labels: z.record(z.string(), z.string()) }
  const Health = z.object({
    hostname: z.string(),
    cpu: z.object({ percent: z.number(), cores: z.int(), model: z.string().nullable() }),
    disks: z.array(z.object(disk)),
    state: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('up'), since: z.string().optional() }),
      z.object({ kind: z.literal('down'), reason: z.enum(['power', 'network', 'unknown']) }),
      z.object({ kind: z.literal('degraded'), services: z.array(z.string()), more: z.object(disk).partial() }),
    ]),
    issues: z.array(z.object({ severity: z.enum(['low', 'high']), text: z.string(), at: z.string().optional() })),
  })
  const Finding = Health.extend({ nested: z.object({ deeper: z.object({ deepest: Health.array() }) }) })
  const Old = z3.object({ name: z3.string(), disks: z3.array(z3.object({ mount: z3.string(), free: z3.number() })) })
  const one = await agent.run('1', { outputSchema: Health })
  const two = await agent.run('2', { outputSchema: z.array(Finding) })
  const three = await agent.run('3', { outputSchema: Old })
  const four = await agent.run('4', { outputSchema: z.union([Health, Finding]), evidence: true })
  const five = await agent.run('5', { outputSchema: Health.omit({ disks: true }), budget: { usd: 1 } })
  const six = await agent.conversation().send('6', { outputSchema: z.object({ all: z.array(Finding.partial()) }) })
  const plan = await agent.run('7', { agentType: 'planner' })
  const words: string[] = [one.output.hostname, three.output.name, four.output.hostname, five.output.cpu.model ?? '']
  for (const finding of two.output) words.push(finding.nested.deeper.deepest[0]?.state.kind ?? '')
  for (const finding of six.output.all) words.push(finding.issues?.[0]?.severity ?? '')
  for await (const event of agent.runStream('8', { outputSchema: Finding })) {
    if (event.type === 'result') words.push(event.output.nested.deeper.deepest[0]?.hostname ?? '')
  }
  return [...words, ...plan.output.steps.map((step) => step.description)]
}
