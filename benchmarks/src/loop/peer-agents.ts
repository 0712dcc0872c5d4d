import { createOpenAI } from '@ai-sdk/openai'
import { Agent, OpenAIChatCompletionsModel, run, setTracingDisabled, tool as openaiTool } from '@openai/agents'
import { createAgent, createMemoryJournal } from '@cmdop/agent'
import { stepCountIs, tool, ToolLoopAgent } from 'ai'
import OpenAI from 'openai'
import { z } from 'zod'
import { createInstantMachine } from './instant-machine.ts'

/** One run of an agent with a number of steps, streamed to its end. Throws when it did not take them all. */
export type AgentRun = () => Promise<void>

const prompt = 'Check it.'
const instructions = 'You run commands on a machine.'
const description = 'Runs a command on the machine and gives its exit code, standard output and standard error.'
const output = 'exit code 0, 0 ms\nno output'
const inputSchema = z.object({ command: z.array(z.string()) })

/** Ours: gate, fence, redaction and record included, journal as it is chosen. */
export function ours(url: string, steps: number, journaled = false): AgentRun {
  const model = createOpenAI({ apiKey: 'instant', baseURL: url }).chat('instant')
  const journal = journaled ? createMemoryJournal() : undefined
  const agent = createAgent({ machine: createInstantMachine(), model, journal, env: {} })
  return async () => {
    const stream = agent.runStream(prompt, { builtInTools: ['run_command'], budget: { steps } })
    for await (const _ of stream);
    expectSteps((await stream.result).steps.length, steps)
  }
}

/** `ToolLoopAgent` of the AI SDK. */
export function toolLoopAgent(url: string, steps: number): AgentRun {
  const model = createOpenAI({ apiKey: 'instant', baseURL: url }).chat('instant')
  const tools = { run_command: tool({ description, inputSchema, execute: () => output }) }
  const agent = new ToolLoopAgent({ model, instructions, tools, stopWhen: stepCountIs(steps) })
  return async () => {
    const result = await agent.stream({ prompt })
    for await (const _ of result.fullStream);
    expectSteps((await result.steps).length, steps)
  }
}

/** `run` of `@openai/agents`. */
export function openaiAgents(url: string, steps: number): AgentRun {
  setTracingDisabled(true)
  const client = new OpenAI({ apiKey: 'instant', baseURL: url })
  const run_command = openaiTool({ name: 'run_command', description, parameters: inputSchema, execute: () => output })
  const model = new OpenAIChatCompletionsModel(client, 'instant')
  const agent = new Agent({ name: 'operator', instructions, model, tools: [run_command] })
  return async () => {
    const result = await run(agent, prompt, { stream: true, maxTurns: steps })
    for await (const _ of result);
    await result.completed
    expectSteps(result.rawResponses.length, steps)
  }
}

function expectSteps(taken: number, steps: number): void {
  if (taken !== steps) throw new Error(`Expected ${steps} steps, got ${taken}.`)
}
