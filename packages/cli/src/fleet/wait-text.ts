import type { FleetRunWait } from '@cmdop/protocol'

/** What a fleet run waits for, and what a person does about it. */
export function waitText(wait: FleetRunWait, runId: string): string {
  if (wait.for === 'approval') return `for people who approve it: cmdop approvals show ${wait.approvalId}`
  return `for a person: ${wait.reason} Let it go on: cmdop fleet continue ${runId}, or end it: cmdop fleet cancel ${runId}`
}
