/** What the model does where no key is set: each step follows from what the tools have shown. */
import { type ScriptedCall, transcriptModel, type TranscriptWork } from '@cmdop/agent/testing'
import { z } from 'zod'
import type { Remediation, ServerHealth } from './server-health.ts'

/** What is given as context: of each machine, its services. */
const Known = z.record(z.string(), z.object({ folder: z.string(), control: z.string(), tmpBytes: z.number() }))
type Service = z.infer<typeof Known>[string]

export const standIn = transcriptModel(function* ({ prompt, context }): TranscriptWork<ServerHealth | Remediation> {
  const [, task, name = ''] = /^(Check health of|Remediate issues on) ([\w-]+)/.exec(prompt) ?? []
  const service = Known.parse(context)[name]
  if (service === undefined) return yield* known(name)
  return task === 'Check health of' ? yield* check(name, service) : yield* mend(service)
})

const read = (command: string): ScriptedCall => ({ tool: 'run_command', input: { command, readOnly: true } })

/** A machine of which the caller has said nothing. */
function* known(hostname: string): TranscriptWork<ServerHealth> {
  yield read('uptime')
  const issues = ['Nobody has said which services it should have.']
  return { hostname, cpu_percent: 0, memory_percent: 0, disk_free_gb: 0, services: [], issues }
}

function* check(hostname: string, service: Service): TranscriptWork<ServerHealth> {
  const before = yield* processorTime()
  const { data } = yield read('cat /proc/meminfo; df -kP /')
  const kilobytes = (name: string) => Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(data)?.[1])
  const freeKb = Number(data.trim().split('\n').at(-1)?.split(/ +/)[3])
  const { state, usedBytes } = yield* look(service)
  const after = yield* processorTime()
  const issues = [
    ...(state === 'stopped' ? ['The service api does not run.'] : []),
    ...(state === 'hung' ? ['The process of the service api is stopped.'] : []),
    ...(usedBytes > service.tmpBytes ? [`Temporary files take ${usedBytes} of ${service.tmpBytes} bytes.`] : []),
  ]
  return {
    hostname,
    cpu_percent: Math.round(100 * (1 - (after.idle - before.idle) / Math.max(1, after.all - before.all))),
    memory_percent: Math.round((1 - kilobytes('MemAvailable') / kilobytes('MemTotal')) * 100),
    disk_free_gb: freeKb / 1e6,
    services: state === 'runs' ? ['api'] : [],
    issues,
  }
}

/** Ticks of all processors since the machine started. */
function* processorTime(): TranscriptWork<{ idle: number; all: number }> {
  const { data } = yield read("grep '^cpu ' /proc/stat")
  const ticks = data.trim().split(/ +/).slice(1).map(Number)
  return { idle: ticks[3] ?? 0, all: ticks.reduce((sum, each) => sum + each, 0) }
}

/** It looks again: what was found may be over. */
function* mend(service: Service): TranscriptWork<Remediation> {
  const { state, pid, usedBytes } = yield* look(service)
  const commands = [
    ...(usedBytes > service.tmpBytes ? [`find ${service.folder}/tmp -name '*.tmp' -delete`] : []),
    ...(state === 'hung' ? [`kill -CONT ${pid}`] : []),
    ...(state === 'stopped' ? [`${service.control} start`] : []),
  ]
  const remaining: string[] = []
  for (const command of commands) {
    const { text } = yield { tool: 'run_command', input: { command } }
    if (!text.startsWith('exit code 0')) remaining.push(command)
  }
  return { commands: commands.filter((command) => !remaining.includes(command)), remaining }
}

function* look({
  folder,
}: Service): TranscriptWork<{ state: 'runs' | 'stopped' | 'hung'; pid: string; usedBytes: number }> {
  const pid = (yield read(`cat ${folder}/run/pid`)).data.trim()
  const status = /^\d+$/.test(pid) ? (yield read(`grep State /proc/${pid}/status`)).data : ''
  const usedBytes = Number((yield read(`du -sb ${folder}/tmp | cut -f 1`)).data)
  const isGone = status === '' || status.includes('Z (zombie)')
  return { state: isGone ? 'stopped' : status.includes('T (stopped)') ? 'hung' : 'runs', pid, usedBytes }
}
