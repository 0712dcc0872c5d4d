import { CmdopError } from '@cmdop/protocol'
import type { RunStarted } from '../ports/journal.ts'
import type { Machine } from '@cmdop/core'
import type { History } from './history.ts'
import { firstDifference } from './first-difference.ts'

/** What has to be the same where a run goes on. */
type Fingerprints = Pick<RunStarted, 'toolsDigest' | 'tools' | 'schemaDigest' | 'schema'>

/** Throws `conflict`, with what differs, where an agent has not the tools and the schema with which a run began. */
export function assertSameRun(began: Fingerprints, now: Fingerprints): void {
  const differences = [
    ...(began.toolsDigest === now.toolsDigest ? [] : differentTools(began.tools, now.tools)),
    ...(began.schemaDigest === now.schemaDigest
      ? []
      : [`outputSchema: ${firstDifference(began.schema, now.schema) ?? 'it is another one'}`]),
  ]
  if (differences.length === 0) return
  throw new CmdopError(
    'conflict',
    `The run began with other tools or another schema, so it cannot go on with these. ${differences.join('; ')}.`,
    { details: { differences } },
  )
}

/** Throws `conflict` where an agent works on another machine than the run. */
export function assertSameMachine({ runId, started: { machineId } }: History, { id }: Pick<Machine, 'id'>): void {
  if (machineId === id) return
  throw new CmdopError('conflict', `The run ${runId} works on the machine ${machineId}, and this agent on another one.`)
}

function differentTools(began: RunStarted['tools'], now: RunStarted['tools']): string[] {
  const names = [...new Set([...Object.keys(began), ...Object.keys(now)])]
  const found = names.flatMap((name) => {
    if (began[name] === now[name]) return []
    if (began[name] === undefined) return [`the tool ${name} is new`]
    return [now[name] === undefined ? `the tool ${name} is missing` : `the tool ${name} is another one`]
  })
  return found.length === 0 ? ['the tools are in another order'] : found
}
