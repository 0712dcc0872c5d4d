import { type RunEvent, Client, createAgent, isCmdopError } from 'cmdop'
import { startSystem } from './processes.ts'
import { ServerHealth } from './server-health.ts'

const json = process.argv.includes('--json')
const say = (line: string) => void process.stderr.write(`${line}\n`)

try {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort())
  await using system = await startSystem(say)
  await using client = new Client({ baseUrl: system.url, token: system.key })
  const machine = await client.machine(system.machineId)
  const agent = createAgent({ machine })
  say(`operator  ${agent.model.provider}/${agent.model.id} works on ${machine.name}`)

  const stream = agent.runStream('Check server health and identify any issues', {
    outputSchema: ServerHealth,
    signal: stop.signal,
  })
  for await (const event of stream) showStep(event)
  const result = await stream.result

  if (json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
  else showHealth(result.output)
  say(
    `done      ${result.steps.length} steps in ${(result.durationMs / 1000).toFixed(1)} s, answered by ${result.model.provider}/${result.model.id}`,
  )
} catch (error) {
  if (!isCmdopError(error)) throw error
  if (json)
    process.stdout.write(`${JSON.stringify({ error: { code: error.code, message: error.message } }, null, 2)}\n`)
  say(`failed    ${error.code}: ${error.message}`)
  process.exitCode = error.code === 'cancelled' ? 130 : 1
}

function showStep(event: RunEvent<ServerHealth>): void {
  if (event.type === 'tool_call') say(`step      calls ${event.tool} ${JSON.stringify(event.input)}`)
  if (event.type === 'tool_result') say(`          got   ${JSON.stringify(event.output).slice(0, 120)}...`)
  if (event.type === 'text') say(`says      ${event.content.trim()}`)
}

function showHealth(health: ServerHealth): void {
  for (const [name, value] of Object.entries(health)) {
    const text = Array.isArray(value) ? value.join(', ') || 'none' : String(value)
    process.stdout.write(`${name.padEnd(16)}${text}\n`)
  }
}
