import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cassette, scriptedModel, transcriptModel } from '@cmdop/agent/testing'
import { CmdopError, createAgent, embedded, RunError } from 'cmdop'
import { z } from 'zod'

await using local = await embedded()
const { machine } = local

const ServerHealth = z.object({
  hostname: z.string(),
  cpu_percent: z.number().describe('CPU usage percentage'),
  disk_free_gb: z.number(),
  issues: z.array(z.string()).describe('Detected problems'),
})

const agent = createAgent({ machine, model: 'facts' })
const { output } = await agent.run('Check server health and identify any issues', { outputSchema: ServerHealth })
if (output.cpu_percent > 90) process.stdout.write(`${output.hostname} is busy\n`)
assert.equal(output.hostname, machine.hostname)

for await (const event of agent.runStream('Check server health', { outputSchema: ServerHealth })) {
  if (event.type === 'tool_call') process.stdout.write(`calls ${event.tool}\n`)
  if (event.type === 'result') process.stdout.write(`${event.output.disk_free_gb} GB free\n`)
}

using model = scriptedModel([
  { calls: [{ tool: 'run_command', input: { command: ['uptime'] } }] },
  {
    expect: ({ toolResults }) => assert.match(toolResults[0]?.text ?? '', /exit code 0/),
    calls: [{ tool: 'final_result', input: { up: true } }],
  },
])
const scripted = await createAgent({ machine, model }).run('Is it up?', { outputSchema: z.object({ up: z.boolean() }) })
assert.equal(scripted.output.up, true)

// A model whose next step follows from what the tools have shown.
const cautious = transcriptModel(function* () {
  const found = yield { tool: 'run_command', input: { command: 'ls /srv/example-cache 2>/dev/null | wc -l' } }
  if (Number(found.data) === 0) return 'There is nothing to clean.'
  yield { tool: 'run_command', input: { command: 'rm -r /srv/example-cache' } }
  return 'The cache is gone.'
})
const cleaned = await createAgent({ machine, model: cautious }).run('Clean the cache')
assert.equal(cleaned.output, 'There is nothing to clean.')

const folder = await mkdtemp(join(tmpdir(), 'cmdop-example-'))
const file = join(folder, 'uptime.json')
using real = scriptedModel([
  { calls: [{ tool: 'run_command', input: { command: ['uptime'] } }] },
  { text: 'It is up.' },
])
await recordOnce()
await replayAnywhere()
await rm(folder, { recursive: true })

async function recordOnce(): Promise<void> {
  // Once, with the real model and the real machine.
  using tape = cassette(file, { record: real })
  await createAgent({ machine: tape.machine(machine), model: tape.model }).run('Is it up?')
}

async function replayAnywhere(): Promise<void> {
  // In each test: no model, no key, no machine.
  using tape = cassette(file, { replay: true })
  const { output } = await createAgent({ machine: tape.machine(), model: tape.model }).run('Is it up?')
  assert.equal(output, 'It is up.')
}

using flaky = scriptedModel([
  { calls: [{ tool: 'run_command', input: { command: 'echo making room' } }] },
  { error: new CmdopError('model', 'The model server is away.') },
  { text: 'There is room again.' },
])
const durable = createAgent({ machine, model: flaky, maxRetries: 0 })
const stopped = await durable.run('Make room on the disk').catch((reason: unknown) => reason)
assert(stopped instanceof RunError && stopped.code === 'model')
const resumed = await durable.resume(stopped.result.runId)
assert.equal(resumed.output, 'There is room again.')

const played = await durable.replay(resumed.runId)
assert.equal(played.output, resumed.output)

// What a machine cannot hold, it refuses; this asks it first.
const { restrictions } = await machine.capabilities()
if (restrictions['dryRun']?.ok === true) await preview()

async function preview(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'cmdop-example-'))
  using model = scriptedModel([
    { calls: [{ tool: 'run_command', input: { command: `cd '${folder}' && echo new > new && export STEP=one` } }] },
    { calls: [{ tool: 'run_command', input: { command: 'echo "$STEP in $PWD"; cat new' } }] },
    { text: 'It is there.' },
  ])
  const agent = createAgent({ machine, model })

  // The whole run works in one view: its steps see each other, and the disk sees none of them.
  const { effects } = await agent.run('Put a new file in place', { restrictions: { dryRun: true } })
  const [effect] = effects
  assert(effect?.state === 'pending')
  assert.deepEqual(await readdir(folder), [])

  // A person looks at it, and has exactly that applied.
  const { list } = await machine.effects.get(effect.effectId)
  for (const { kind, path } of list?.effects ?? []) process.stdout.write(`${kind} ${path}\n`)
  await machine.effects.apply(effect.effectId, effect.hash)
  assert.deepEqual(await readdir(folder), ['new'])
  await rm(folder, { recursive: true })
}
