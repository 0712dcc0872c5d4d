import assert from 'node:assert/strict'
import { scriptedModel } from '@cmdop/agent/testing'
import { embedded } from 'cmdop'

// The model that the machine has; it is scripted so that the example needs no provider.
using model = scriptedModel([
  { calls: [{ tool: 'run_command', input: { command: ['uptime'] } }] },
  { text: 'Up for a day.' },
  { text: 'Since yesterday.' },
  { calls: [{ tool: 'run_command', input: { command: ['echo', 'cleaned'] } }] },
  { text: 'Cleaned.' },
])
await using local = await embedded({ operator: { model } })
const { client, machine } = local

// The operator that lives on the machine works there, with the machine's own model.
const text = await client.machines.ask(machine, 'How long has it been up?').collect()
assert.equal(text, 'Up for a day.')

// The same as a stream: what happens, as it happens.
const sessionId = await client.machines.activeSession(machine.id)
for await (const frame of client.machines.ask(machine, 'Since when is that?', { sessionId })) {
  if (frame.type === 'event' && frame.event === 'text') process.stdout.write(String(frame.payload['delta']))
  if (frame.type === 'done') process.stdout.write(` (${frame.model}, ${frame.durationMs} ms)\n`)
}

// What would change something waits for you, if you say so.
const ask = client.machines.ask(machine, 'Clean up.', { confirm: 'changes' })
for await (const frame of ask) {
  if (frame.type === 'confirm_required') await ask.confirm(frame.token, frame.tool === 'run_command')
  if (frame.type === 'done') assert.equal(frame.text, 'Cleaned.')
}

// The conversation stays on the machine until you clear it, and so does what it cost.
const { messages } = await client.machines.messages(machine.id)
assert.equal(messages.at(-1)?.text, 'Cleaned.')
await client.machines.clearMessages(machine.id)
const { calls, tokensIn } = await client.machines.spend(machine.id, { window: '24h' })
assert.deepEqual([calls, tokensIn], [5, 50])
