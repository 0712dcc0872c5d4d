import { Client } from '@cmdop/core'
import { createFleet } from '@cmdop/fleet'
import { say, settings } from './run-until-told.ts'

/** Runs a command over all machines, and says each event of that; ends by itself, or by being killed. */
const { baseUrl, token, runId, command, concurrency } = settings() as {
  baseUrl: string
  token: string
  runId: string
  command: string
  concurrency: number
}
await using client = new Client({ baseUrl, token })
say('ready')
for await (const { type } of createFleet(client, '*').exec(command, { runId, concurrency })) say(type)
