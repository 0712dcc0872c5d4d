import { createAgent } from '@cmdop/agent'
import { scriptedModel } from '@cmdop/agent/testing'
import { Client } from '@cmdop/core'
import { say, settings } from './run-until-told.ts'

/** Runs these shell strings on a machine as an operator, one after another, and says so when they ended. */
const { baseUrl, token, machineId, commands } = settings() as {
  baseUrl: string
  token: string
  machineId: string
  commands: readonly string[]
}
await using client = new Client({ baseUrl, token })
const machine = await client.machine(machineId)
using model = scriptedModel([
  ...commands.map((command) => ({ calls: [{ tool: 'run_command', input: { command } }] })),
  { text: 'Done.' },
])
say('ready')
const { status } = await createAgent({ machine, model }).run('Go')
say(status)
