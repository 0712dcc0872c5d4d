/** What the model does where no key is set: what it measures decides what it says. */
import { transcriptModel, type TranscriptWork } from '@cmdop/agent/testing'
import { z } from 'zod'
import type { AlertConfig } from './alert-config.ts'

const Watched = z.object({
  hostname: z.string(),
  queue: z.string(),
  heartbeat: z.string(),
  log: z.string(),
  data: z.string(),
  port: z.number(),
  thresholds: z.record(z.string(), z.number()),
})

/** What somebody should do. */
const actions: Readonly<Record<AlertConfig['metric'], string>> = {
  queue_length: 'Start another worker.',
  heartbeat_age_seconds: 'Look whether the worker hangs.',
  recent_errors: 'Read the log of the worker.',
  data_kb: 'Make room, or give it more.',
  listening: 'Start the worker.',
}

export const standIn = transcriptModel(function* ({ context }): TranscriptWork<AlertConfig[]> {
  const { hostname, queue, heartbeat, log, data, port, thresholds } = Watched.parse(context)
  const measure = [
    `find ${queue} -type f | wc -l`,
    `date +%s`,
    `stat -c %Y ${heartbeat}`,
    `tail -n 100 ${log} | grep -c ' error '`,
    `du -sk --apparent-size ${data} | cut -f 1`,
    `grep -c '${listensOn(port)}' /proc/net/tcp`,
  ].join('; ')
  const measured = yield { tool: 'run_command', input: { command: measure, readOnly: true } }
  const [jobs = 0, now = 0, beatAt = 0, errors = 0, kilobytes = 0, listening = 0] = measured.data
    .trim()
    .split('\n')
    .map(Number)
  const values = { queue_length: jobs, heartbeat_age_seconds: now - beatAt, recent_errors: errors, data_kb: kilobytes }
  const alert = (metric: AlertConfig['metric'], value: number, isCritical: boolean): AlertConfig => ({
    hostname,
    metric,
    value,
    threshold: thresholds[metric] ?? 0,
    severity: isCritical ? 'critical' : 'warning',
    action: actions[metric],
  })
  return [
    ...Object.entries(values).flatMap(([name, value]) => {
      const metric = name as keyof typeof values
      const threshold = thresholds[metric] ?? Infinity
      return value > threshold ? [alert(metric, value, value >= 2 * threshold)] : []
    }),
    ...(listening === 0 ? [alert('listening', 0, true)] : []),
  ]
})

/** Of a socket that listens, in the kernel's table: local address, remote address, state. */
function listensOn(port: number): string {
  return `:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`
}
