import { Client } from '@cmdop/core'
import { exitCodes } from '../exit-codes.ts'
import { parseCount } from '../numbers.ts'
import { formatTable, writeJson, writeStdout } from '../terminal.ts'

/** Recordings that are listed unless it says how many. */
const LISTED = 50

export interface RecordingsFlags {
  machine?: string
  kind?: 'session' | 'exec'
  limit?: string
  json?: boolean
}

/** `cmdop recordings`: what was recorded in the fleet, the newest first. */
export async function recordingsCommand(flags: RecordingsFlags, signal: AbortSignal): Promise<number> {
  const { machine, kind } = flags
  const limit = flags.limit === undefined ? LISTED : parseCount('--limit', flags.limit)
  await using client = new Client()
  const machineId = machine === undefined ? undefined : (await client.machines.resolve(machine, { signal })).id
  const query = {
    signal,
    limit: Math.min(limit, 500),
    ...(machineId === undefined ? {} : { machineId }),
    ...(kind === undefined ? {} : { kind }),
  }
  const items = []
  for await (const recording of client.recordings.iter(query)) if (items.push(recording) === limit) break
  if (flags.json === true) await writeJson({ items })
  else {
    const rows = items.map(({ recordingId, startedAt, principalName, title, kind: what, state, manifest }) => [
      startedAt,
      what,
      manifest === null || manifest.integrity === 'complete' ? state : `${state}, ${manifest.integrity}`,
      principalName,
      title.replaceAll('\n', ' ').slice(0, 60),
      recordingId,
    ])
    await writeStdout(formatTable(['STARTED', 'KIND', 'STATE', 'WHO', 'WHAT', 'ID'], rows))
  }
  return exitCodes.ok
}
