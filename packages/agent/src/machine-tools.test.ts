import { stepCountIs, ToolLoopAgent } from 'ai'
import { expect, test } from 'vitest'
import { machineTools } from './machine-tools.ts'
import type { GateRequest } from './ports/gate.ts'
import { createMemoryJournal } from './ports/journal.ts'
import { Secret } from './redact/secret.ts'
import { localMachine } from './testing/local-machine.ts'
import { sampleFacts } from './testing/sample-facts.ts'
import { scriptedModel } from './testing/scripted-model.ts'
import { shell } from './testing/scripted-world.ts'
import { createToolbox } from './toolbox.ts'

test("anyone's AI SDK agent works on a machine, behind the same gate, journal and redaction", async () => {
  const journal = createMemoryJournal()
  const gate = {
    decide: async ({ input }: GateRequest) =>
      JSON.stringify(input).includes('rm')
        ? ({ decision: 'deny', rule: 'no-rm', reason: 'Nothing is deleted.' } as const)
        : ({ decision: 'allow' } as const),
  }
  const tools = machineTools(localMachine(sampleFacts()), { gate, journal, secrets: [new Secret('hunter2hunter2')] })
  using model = scriptedModel([
    { calls: [shell('echo it is hunter2hunter2'), shell('rm -rf /')] },
    { calls: [{ tool: 'read_file', input: { path: '/nonexistent/nowhere/file' } }] },
    { text: 'Done.' },
  ])
  const agent = new ToolLoopAgent({ model, tools, stopWhen: stepCountIs(5) })
  const result = await agent.stream({ prompt: 'Go' })
  expect(await result.text).toBe('Done.')
  const [echoed, denied] = model.seen[1]?.toolResults.map((each) => each.text) ?? []
  expect(echoed).toMatch(/exit code 0.*<data-\w+ source="stdout, \d+ bytes">\nit is \[redacted\]/s)
  expect(denied).toContain('Not executed. The rule "no-rm" denied it')
  expect(model.seen[2]?.toolResults.at(-1)?.text).toContain('not_found')
  expect(journal.entries.filter((entry) => entry.type === 'call_started')).toHaveLength(2)
  expect(Object.keys(machineTools(localMachine(sampleFacts()), { tools: ['facts'] }))).toEqual(['facts'])
})

test('who throws at output ends the command, and the next one runs', async () => {
  const machine = localMachine(sampleFacts())
  await using toolbox = createToolbox()
  const call = (command: string) => ({
    machine,
    tool: 'run_command',
    input: { command },
    signal: new AbortController().signal,
  })
  const thrown = new Error('The pipe is closed.')
  const failing = toolbox.call({
    ...call('echo begun; sleep 1000'),
    onOutput: () => {
      throw thrown
    },
  })
  await expect(failing).rejects.toBe(thrown)
  expect(machine.running.size).toBe(0)
  expect((await toolbox.call(call('echo next'))).text).toContain('next')
})
