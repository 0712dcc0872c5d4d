import type { Client } from 'cmdop'
import { IncidentAnalysis, StepResult } from './incident-analysis.ts'

/** What somebody, or a monitor, has noticed. */
export interface Incident {
  readonly server: string
  readonly symptom: string
  /** What is known of the service: where it is, how it is started. */
  readonly service: object
}

/** How it ended: nothing to do, every step done, a step refused or failed, or a matter for a person. */
export interface Response {
  readonly analysis: IncidentAnalysis
  readonly ending: 'nothing-to-do' | 'repaired' | 'stopped' | 'escalated'
}

/** Reading runs at once. Whatever else the operator wants to run waits for a person, who approves exactly that. */
const policy = { mode: 'default' } as const

/** Finds the cause of an incident, and removes it step by step as far as people approve. */
export async function respond(client: Client, incident: Incident, signal: AbortSignal): Promise<Response> {
  const machine = await client.machine(incident.server)
  const options = { machine, context: incident.service, policy, signal }

  const { output: analysis } = await client.agent.run(
    `Investigate: ${incident.symptom}. Check logs, processes, resources. Change nothing.`,
    { ...options, outputSchema: IncidentAnalysis },
  )
  if (analysis.requires_human) return { analysis, ending: 'escalated' }
  if (analysis.remediation_steps.length === 0) return { analysis, ending: 'nothing-to-do' }

  for (const step of analysis.remediation_steps) {
    const { output } = await client.agent.run(`Execute: ${step}`, { ...options, outputSchema: StepResult })
    if (!output.done) return { analysis, ending: 'stopped' }
  }
  return { analysis, ending: 'repaired' }
}
