import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAgent, createRelayJournal, type Journal, RunError } from '@cmdop/agent'
import { scriptedModel } from '@cmdop/agent/testing'
import { Client } from '@cmdop/core'
import { say, settings } from './run-until-told.ts'

/**
 * A run of as many commands as there are, with a model that only looks at the conversation; or its resumption. When the
 * entry of the boundary is durable, it says so, and nothing more is written until there is a file; without a file, it goes on.
 * Says how it ended.
 */
const given = settings() as {
  baseUrl: string
  token: string
  machineId: string
  commands: readonly string[]
  /** To go on with it. */
  runId?: string
  boundary?: number
  release?: string
  /** Whether every entry is waited for, as the boundaries are counted; else only those that the run waits for. */
  waits?: boolean
}
const { commands, boundary, release, waits = true } = given
await using client = new Client({ baseUrl: given.baseUrl, token: given.token })
const machine = await client.machine(given.machineId)

type Model = ReturnType<typeof scriptedModel>
/** Goes on from whatever it is shown: the next command, or what all of them said. */
const model: Model = {
  ...scriptedModel([]),
  doStream: (options) => {
    const texts = options.prompt.flatMap(({ role, content }) => (role === 'tool' ? [JSON.stringify(content)] : []))
    const command = commands[texts.length]
    const said = texts.flatMap((text) => text.match(/said \d+ in [/\w]+/g) ?? [])
    const call = { tool: 'run_command', input: { command }, id: `call-${texts.length}` }
    return scriptedModel([command === undefined ? { text: said.join(', ') } : { calls: [call] }]).doStream(options)
  },
}

const relay = createRelayJournal(client.runs)
let released = Promise.resolve()
const written =
  (write: typeof relay.append): typeof relay.append =>
  async (entry, place) => {
    const { index } = place
    // Only the entry of the boundary is written without a wait; the order of the others is that of their calls.
    if (boundary !== undefined && index > boundary) await released
    const writing = write(entry, place)
    if (index === boundary) released = writing.then(() => held(entry.runId))
    await writing
    if (index === boundary) await released
    else if (index === 0) say({ runId: entry.runId })
  }
const journal: Journal = {
  read: relay.read,
  append: written(relay.append),
  ...(waits ? {} : { note: written(relay.note) }),
}

async function held(runId: string): Promise<void> {
  say({ boundary, runId })
  if (release === undefined) return
  while (!existsSync(release)) await sleep(10)
}

say('ready')
const agent = createAgent({ machine, model, journal, maxRetries: 0 })
const budget = { steps: commands.length + 1 }
try {
  const { output, toolCalls } = await (given.runId === undefined
    ? agent.run('Go', { budget })
    : agent.resume(given.runId))
  say({ output, outcomes: toolCalls.map(({ outcome }) => outcome) })
} catch (error) {
  if (!(error instanceof RunError)) throw error
  say({ code: error.code, outcomes: error.result.toolCalls.map(({ outcome }) => outcome) })
}
