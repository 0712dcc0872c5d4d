import { Client } from '@cmdop/core'
import { createFleet } from '@cmdop/fleet'
import { z } from 'zod'

/** A script that runs a command over all machines, and tells when it began on a machine and when each has ended. */
const settings = z
  .object({ baseUrl: z.string(), token: z.string(), runId: z.string(), command: z.string(), concurrency: z.number() })
  .parse(JSON.parse(process.argv[2] ?? ''))

const { baseUrl, token, runId, command, concurrency } = settings
await using client = new Client({ baseUrl, token })
console.log('"ready"')
const run = createFleet(client, '*').exec(command, { runId, concurrency })
for await (const { type } of run) console.log(JSON.stringify(type))
console.log(JSON.stringify((await run).counts))
