import { createHash } from 'node:crypto'

/** Under which a machine knows a command of a run: the same for the same call, and nobody's who does not know the run. */
export function callIdOf(runId: string, label: string): string {
  return `call_${fingerprint(`call ${runId} ${label}`, 32)}`
}

/** The id of the session in which a run's commands are shown; `attempt` counts those that ended before the run did. */
export function sessionIdOf(runId: string, attempt: number): string {
  return `call_${fingerprint(`session ${runId} ${attempt}`, 32)}`
}

/** The id of the run that works for a router: the same for the same router, so that both can be gone on with. */
export function handlerRunIdOf(runId: string): string {
  const digits = fingerprint(`handler ${runId}`, 32)
  // A UUID of version 8, which is for ids made in a way of one's own (RFC 9562).
  return digits.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-8$3-8$4-$5')
}

/** What keeps a command's output from saying where the next one begins. */
export function carryNonceOf(runId: string, nonce: string): string {
  return fingerprint(`carry ${runId} ${nonce}`, 24)
}

function fingerprint(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length)
}
