import { setTimeout as wait } from 'node:timers/promises'
import type { Client } from 'cmdop'
import { z } from 'zod'
import { AlertConfig } from './alert-config.ts'

/** What is looked at on each server, by its name, and what is too much of it. */
export interface Monitoring {
  readonly servers: Readonly<Record<string, object>>
  /** Milliseconds from the end of a round to the next. */
  readonly everyMs: number
  readonly signal: AbortSignal
}

/** Rounds without end: each gives the alerts of all servers. Ends when you leave the loop, throws when the signal aborts. */
export async function* monitor(
  client: Client,
  { servers, everyMs, signal }: Monitoring,
): AsyncGenerator<AlertConfig[]> {
  for (;;) {
    const alerts = await Promise.all(
      Object.entries(servers).map(async ([server, watched]) => {
        const machine = await client.machine(server)
        const { output } = await client.agent.run('Check for anomalies and generate alerts if needed', {
          machine,
          context: watched,
          outputSchema: z.array(AlertConfig),
          // What only reads runs. Anything else would wait for a person, and a monitor waits for nobody.
          policy: { mode: 'default' },
          approval: { wait: false },
          signal,
        })
        return output
      }),
    )
    yield alerts.flat()
    await wait(everyMs, undefined, { signal })
  }
}
