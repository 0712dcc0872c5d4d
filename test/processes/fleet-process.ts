import { Client } from '@cmdop/core'
import { createFleet, type GateMoment } from '@cmdop/fleet'
import { say, settings } from './run-until-told.ts'

/**
 * Runs a command over all machines, and says each event of that; ends by itself, or by being killed. `{name}` in the command is the name of
 * each machine.
 */
const { baseUrl, token, runId, command, concurrency, approval, waves, pauses } = settings() as {
  baseUrl: string
  token: string
  runId: string
  command: string
  concurrency: number
  approval?: GateMoment
  waves?: number[]
  /** Its check wants a person to look after each wave. */
  pauses?: true
}
await using client = new Client({ baseUrl, token })
say('ready')
const options = {
  runId,
  concurrency,
  ...(approval === undefined ? {} : { approval }),
  ...(waves === undefined ? {} : { waves }),
  ...(pauses === undefined ? {} : { check: () => 'pause' as const }),
}
const each = ({ name }: { name: string }) => command.replaceAll('{name}', name)
const run = createFleet(client, '*').exec(command.includes('{name}') ? each : command, options)
for await (const { type } of run) say(type)
