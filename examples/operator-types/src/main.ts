/** Every agent type, tools of one's own, secrets, evidence, a gate and interop, with a scripted model. */
import assert from 'node:assert/strict'
import { type ScriptedStep, scriptedModel } from '@cmdop/agent/testing'
import { tool } from 'ai'
import { createAgent, createMemoryJournal, embedded, type Gate, machineTools, RunError, Secret } from 'cmdop'
import { z } from 'zod'

await using local = await embedded()
const { machine } = local

const final = (input: unknown): ScriptedStep => ({ calls: [{ tool: 'final_result', input }] })
const run = (command: string): ScriptedStep => ({ calls: [{ tool: 'run_command', input: { command } }] })

await targets()
await agentTypes()
await toolsAndSecrets()
await evidenceAndBudgets()
await gates()
interop()

async function targets(): Promise<void> {
  using model = scriptedModel([
    run('uptime'),
    { text: 'It is up.' },
    { thinking: 'I look first.', calls: [{ tool: 'run_command', input: { command: 'df -h /' } }] },
    { text: 'There is room.' },
  ])
  await using local = await embedded({ agent: { model } })
  const { client } = local
  const [web] = (await client.machines.list()).items
  assert(web !== undefined)

  // `client.agent` works on the machine that `client.terminal` has.
  await client.terminal.setMachine(web.name)
  const { output } = await client.agent.run('Is it up?')
  assert.equal(output, 'It is up.')

  for await (const event of client.agent.runStream('Is there room?')) {
    if (event.type === 'thinking') process.stdout.write(`AI: ${event.content}\n`)
    else if (event.type === 'tool_call') process.stdout.write(`Executing: ${event.tool}\n`)
    else if (event.type === 'result') process.stdout.write(`Result: ${event.output}\n`)
  }
}

async function agentTypes(): Promise<void> {
  using model = scriptedModel([
    run('df --output=avail / | tail -1'),
    final({ free_kb: 1 }),
    { text: 'Hello, Ann.' },
    { text: 'You are Ann.' },
    final({ handler: 'weather', reason: 'It is about weather.', task: 'Berlin' }),
    { calls: [{ tool: 'facts', input: { parts: ['disks'] } }] },
    final({ steps: [planStep(['true']), planStep('echo cleaned')] }),
  ])
  const agent = createAgent({ machine, model })

  // `command` runs exactly one command and makes its answer of the real output.
  const Disk = z.object({ free_kb: z.number() })
  const { output: disk } = await agent.run('How much is free on /?', { agentType: 'command', outputSchema: Disk })
  assert.equal(disk.free_kb, 1)

  // `chat` keeps its conversation.
  const talk = agent.conversation()
  await talk.send('I am Ann.')
  const { output: name } = await talk.send('Who am I?')
  assert.equal(name, 'You are Ann.')

  // `router` chooses one of your agents, machines or functions, and says why.
  const routed = await agent.run('How is the weather in Berlin?', {
    agentType: 'router',
    routes: {
      weather: { description: 'Knows the weather of a city.', to: ({ prompt }) => `sunny in ${prompt}` },
      host: { description: 'Works on this machine.', to: machine },
    },
  })
  assert.equal(routed.output, 'sunny in Berlin')
  assert.equal(routed.route?.reason, 'It is about weather.')

  // `planner` only reads, and gives a plan. Nothing runs until you execute it.
  const { output: plan } = await agent.run('Free some space', { agentType: 'planner' })
  for (const step of plan.steps) process.stdout.write(`${step.danger}: ${step.description}\n`)
  const report = await plan.execute()
  assert.equal(report.status, 'completed')
}

function planStep(command: string | string[]) {
  return { description: 'Cleans up.', command, danger: 'low', reversible: true, expectedEffect: 'More space.' }
}

async function toolsAndSecrets(): Promise<void> {
  using model = scriptedModel([
    { calls: [{ tool: 'oncall', input: { service: 'db' } }] },
    {
      calls: [{ tool: 'run_command', input: { command: 'echo $DB_PASSWORD' } }],
    },
    {
      expect: ({ toolResults }) => assert.match(toolResults[1]?.text ?? '', /\[redacted\]/),
      text: 'Ann is on call.',
    },
  ])
  const agent = createAgent({ machine, model })

  const tools = {
    oncall: tool({
      description: 'Says who is on call for a service.',
      inputSchema: z.object({ service: z.string() }),
      execute: ({ service }) => ({ service, person: 'Ann' }),
    }),
  }
  const env = { DB_PASSWORD: new Secret('correct horse battery staple') }
  const { output } = await agent.run('Who is on call for the database?', { tools, env })
  assert.equal(output, 'Ann is on call.')
}

async function evidenceAndBudgets(): Promise<void> {
  using model = scriptedModel([
    run('hostname'),
    final({ result: { host: 'web-1' }, evidence: { host: ['c1'] } }),
    run('sleep 1'),
    final({ nothing: true }),
  ])
  const prices = { scripted: { input: 3, output: 15 } }
  const agent = createAgent({ machine, model, prices })
  const Host = z.object({ host: z.string() })

  const checked = await agent.run('Which host is this?', { outputSchema: Host, evidence: true })
  assert.deepEqual(checked.evidence, { host: [checked.toolCalls[0]?.toolCallId] })
  assert.equal(checked.cost, (20 * 3 + 10 * 15) / 1_000_000)

  const error = await agent
    .run('Which host is this?', { outputSchema: Host, budget: { steps: 1, usd: 0.5, seconds: 60 } })
    .catch((reason: unknown) => reason)
  assert(error instanceof RunError && error.code === 'budget')
  assert.equal(error.result.stoppedBy, 'steps')
}

async function gates(): Promise<void> {
  using model = scriptedModel([run('rm -rf /srv/cache'), { text: 'I was not allowed to.' }])

  const gate: Gate = {
    decide: async ({ input }) =>
      JSON.stringify(input).includes('rm ')
        ? { decision: 'deny', rule: 'no-delete', reason: 'Nothing is deleted.', remedy: 'Ask the owner.' }
        : { decision: 'allow' },
  }
  const journal = createMemoryJournal()
  const { denied } = await createAgent({ machine, model, gate, journal }).run('Clean the cache')
  assert.equal(denied[0]?.rule, 'no-delete')
  assert(!journal.entries.some((entry) => entry.type === 'call_started'))
}

function interop(): void {
  const tools = machineTools(machine, { tools: ['run_command', 'facts'] })
  assert.deepEqual(Object.keys(tools), ['run_command', 'facts'])
}
