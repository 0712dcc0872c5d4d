/** What the model does where no key is set: each step follows from what the tools have shown. */
import { type ScriptedCall, transcriptModel, type TranscriptWork } from '@cmdop/agent/testing'
import { z } from 'zod'
import type { IncidentAnalysis } from './incident-analysis.ts'

/** What respond.ts gives it as context. */
const Known = z.object({ folder: z.string(), log: z.string(), control: z.string() })
type Known = z.infer<typeof Known>

export const standIn = transcriptModel(function* ({ prompt, context }) {
  const [, command] = /^Execute: [^`]*`([^`]+)`/.exec(prompt) ?? []
  if (command !== undefined) return yield* carryOut(command)
  return yield* investigate(Known.parse(context))
})

const read = (command: string): ScriptedCall => ({ tool: 'run_command', input: { command, readOnly: true } })

function* carryOut(command: string): TranscriptWork<{ done: boolean; detail: string }> {
  const result = yield { tool: 'run_command', input: { command } }
  return { done: result.text.startsWith('exit code 0'), detail: result.text.split('\n')[0] ?? '' }
}

function* investigate(orders: Known): TranscriptWork<IncidentAnalysis> {
  const log = yield { tool: 'read_logs', input: { path: orders.log, limit: 20 } }
  const lines = log.data.split('\n')
  // What it complained about before it was last ready is over.
  const trouble = lines.slice(lines.findLastIndex((line) => line.includes(' info ready')) + 1).findLast(isError) ?? ''

  const pid = (yield read(`cat ${orders.folder}/run/pid`)).data.trim()
  const state = pid === '' ? '' : (yield read(`grep State /proc/${pid}/status`)).data
  if (state.includes('T (stopped)')) return broken(`process ${pid} is stopped`, [`Let it go on: \`kill -CONT ${pid}\``])
  if (trouble.includes('is held by process')) return yield* whoHoldsTheLock(orders, trouble)
  if (trouble.includes('EADDRINUSE')) return yield* whoHasThePort(orders, pid)
  if (trouble.includes('"store" is')) return yield* whatWasConfigured(orders)
  if (trouble.includes('is full')) return yield* whatIsDelivered(orders)
  if (trouble.includes('is damaged')) return { ...broken(trouble, []), requires_human: true }
  return {
    root_cause: 'Nothing is broken.',
    affected_services: [],
    impact: 'none',
    remediation_steps: [],
    requires_human: false,
  }
}

function* whoHoldsTheLock({ folder, control }: Known, trouble: string): TranscriptWork<IncidentAnalysis> {
  const holder = /held by process (\d+)/.exec(trouble)?.[1] ?? ''
  const { data } = yield read(`grep State /proc/${holder}/status`)
  // One that nobody has waited for (Z) is gone as well.
  if (data.includes('State') && !data.includes('Z (zombie)'))
    return { ...broken(`process ${holder} has the lock and runs`, []), requires_human: true }
  return broken(`process ${holder} is gone and has left its lock`, [
    `Remove the lock: \`rm ${folder}/run/lock\``,
    `Start it: \`${control} start\``,
  ])
}

function* whoHasThePort({ folder, control }: Known, own: string): TranscriptWork<IncidentAnalysis> {
  const listed = yield read(`grep -al ${folder} /proc/[0-9]*/cmdline`)
  const pids = Array.from(listed.data.matchAll(/\/proc\/(\d+)\/cmdline/g), ([, pid = '']) => pid)
  for (const pid of pids.filter((each) => each !== own)) {
    const [, program = '', where = ''] = (yield read(`cat -v /proc/${pid}/cmdline`)).data.split('^@')
    if (program.endsWith('orders-service.ts') && where !== folder)
      return broken(`process ${pid}, an older release, has the port`, [
        `End the older release: \`kill ${pid}\``,
        `Start it: \`${control} start\``,
      ])
  }
  return { ...broken('another process has the port', []), requires_human: true }
}

function* whatWasConfigured({ folder, control }: Known): TranscriptWork<IncidentAnalysis> {
  const { data } = yield read(`cat ${folder}/config.json.orig`)
  const { store } = z.object({ store: z.string() }).parse(JSON.parse(data))
  const found = yield read(`ls -d ${store}`)
  if (!found.text.startsWith('exit code 0')) return { ...broken('the store is gone', []), requires_human: true }
  return broken(`config.json names another store than ${store}`, [
    `Put the configuration back: \`cp ${folder}/config.json.orig ${folder}/config.json\``,
    `Start it anew: \`${control} restart\``,
  ])
}

function* whatIsDelivered({ folder }: Known): TranscriptWork<IncidentAnalysis> {
  const count = Number((yield read(`find ${folder}/spool -name '*.done' | wc -l`)).data)
  if (count === 0) return { ...broken('the spool is full of orders that are not delivered', []), requires_human: true }
  return broken(`${count} delivered orders fill the spool`, [
    `Delete what is delivered: \`find ${folder}/spool -name '*.done' -delete\``,
  ])
}

const isError = (line: string) => line.includes(' error ')

function broken(cause: string, steps: string[]): IncidentAnalysis {
  return {
    root_cause: cause,
    affected_services: ['orders'],
    impact: 'No orders are taken.',
    remediation_steps: steps,
    requires_human: false,
  }
}
