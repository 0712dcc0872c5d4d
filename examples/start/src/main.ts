/** What `npm start` runs: a relay and a machine of their own, and an operator that checks this machine's health. */
import { hostname } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { startSystem } from '@cmdop/example-local-system'
import { createAgent, isCmdopError, type RunEvent } from 'cmdop'
import { ServerHealth } from './server-health.ts'

const json = process.argv.includes('--json')
const say = (line: string) => void process.stderr.write(`${line}\n`)

/** Milliseconds for the processor to calm down after the start of five processes, which is not what is to be checked. */
const SETTLE_MS = 1000

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort())
try {
  await checkHealth(stop.signal)
} catch (error) {
  const { code, message } = isCmdopError(error) ? error : { code: 'server', message: String(error) }
  const shown = stop.signal.aborted
    ? { code: 'cancelled', message: 'Stopped; nothing is left running.' }
    : { code, message }
  if (json) process.stdout.write(`${JSON.stringify({ error: shown }, null, 2)}\n`)
  say(`failed    ${shown.code}: ${shown.message}`)
  process.exitCode = shown.code === 'cancelled' ? 130 : 1
}

async function checkHealth(signal: AbortSignal): Promise<void> {
  await using system = await startSystem({ machines: { [hostname()]: {} }, say, signal })
  const machine = await system.owner.machine(hostname())
  const agent = createAgent({ machine })
  say(`operator  ${agent.model.provider}/${agent.model.id} works on ${machine.name}`)
  await wait(SETTLE_MS, undefined, { signal })

  const stream = agent.runStream('Check server health and identify any issues', { outputSchema: ServerHealth, signal })
  for await (const event of stream) showStep(event)
  const result = await stream.result

  if (json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
  else showHealth(result.output)
  const seconds = (result.durationMs / 1000).toFixed(1)
  say(`done      ${result.steps.length} steps in ${seconds} s, answered by ${result.model.provider}/${result.model.id}`)
}

function showStep(event: RunEvent<ServerHealth>): void {
  if (event.type === 'tool_call') say(`step      calls ${event.tool} ${JSON.stringify(event.input)}`)
  if (event.type === 'tool_result' && event.final)
    say(`          got ${JSON.stringify(event.output).length} characters of ${event.tool}`)
  if (event.type === 'text')
    for (const sentence of event.content.trim().split(/(?<=[.;]) /)) say(`says      ${sentence}`)
}

function showHealth(health: ServerHealth): void {
  for (const [name, value] of Object.entries(health)) {
    const text = Array.isArray(value) ? value.join(', ') || 'none' : String(value)
    process.stdout.write(`${name.padEnd(16)}${text}\n`)
  }
}
