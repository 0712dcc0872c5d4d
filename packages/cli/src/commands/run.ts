import { createAgent, type RunEvent, RunError, type RunResult, type RunStream, type StandardSchema } from '@cmdop/agent'
import { CmdopError } from '@cmdop/protocol'
import { type Connected, connectMachine } from '../connect.ts'
import { parseCount, parseDuration } from '../numbers.ts'
import { exitCodeOf, exitCodes } from '../exit-codes.ts'
import { tellEffect } from '../effects/tell-effect.ts'
import { loadSchema } from '../load-schema.ts'
import { type RestrictionFlags, restrictionsOf } from '../restriction-options.ts'
import { reportError, say, writeJson, writeStdout } from '../terminal.ts'

export interface RunFlags extends RestrictionFlags {
  machine: string
  schema?: string
  model?: string
  context?: string
  maxSteps?: string
  deadline?: string
  json?: boolean
}

/** `cmdop run "<prompt>"`: an AI operator on a machine; what it does goes to stderr, its answer to stdout. */
export async function runCommand(prompt: string, flags: RunFlags, signal: AbortSignal): Promise<number> {
  const json = flags.json === true
  try {
    const outputSchema = flags.schema === undefined ? undefined : await loadSchema(flags.schema)
    const options = { ...runOptions(flags), signal }
    await using connected = await connectMachine(flags.machine, signal)
    const { machine } = connected
    const agent = createAgent({ machine, ...(flags.model === undefined ? {} : { model: flags.model }) })
    await say(`${agent.model.provider}/${agent.model.id} works on ${machine.name}`)
    const stream =
      outputSchema === undefined
        ? agent.runStream(prompt, options)
        : agent.runStream(prompt, { ...options, outputSchema: outputSchema as StandardSchema })
    const result = await followed(stream, connected, json)
    if (json) await writeJson({ machine: machineOf(machine), ...result })
    else if (options.restrictions?.dryRun === true && result.effects.length === 0)
      await say('cmdop: nothing would change')
    return exitCodes.ok
  } catch (error) {
    if (json && error instanceof RunError) {
      const { code, message, retryable, details } = error
      await writeJson({ error: { code, message, retryable, details }, ...error.result })
      return exitCodeOf(code)
    }
    return exitCodeOf((await reportError(error, json)).code)
  }
}

/** Shows a run, its answer, and what waits to be applied, however it ends. */
async function followed(stream: RunStream, connected: Connected, json: boolean): Promise<RunResult> {
  try {
    for await (const event of stream) await showEvent(event)
    const result = await stream.result
    if (!json) await writeOutput(result.output)
    if (!json) await tellWaiting(connected, result)
    return result
  } catch (error) {
    if (!json && error instanceof RunError) await tellWaiting(connected, error.result)
    throw error
  }
}

async function tellWaiting(connected: Connected, { effects }: Pick<RunResult, 'effects'>): Promise<void> {
  for (const { effectId, state } of effects)
    if (state === 'pending' || state === 'open') await tellEffect(connected, effectId)
}

/** What an operator does, a line each, for the person who watches. */
export async function showEvent(event: RunEvent): Promise<void> {
  if (event.type === 'text' || event.type === 'thinking') await say(`  ${event.type}: ${event.content.trim()}`)
  if (event.type === 'tool_call') await say(`  → ${event.tool} ${shorten(JSON.stringify(event.input))}`)
  if (event.type === 'tool_result' && event.final)
    await say(`  ${event.isError ? '✗' : '←'} ${event.tool} ${shorten(JSON.stringify(event.output) ?? '')}`)
}

function writeOutput(output: unknown): Promise<void> {
  return typeof output === 'string' ? writeStdout(`${output}\n`) : writeJson(output)
}

function machineOf({ id, name }: { id: string; name: string }): { id: string; name: string } {
  return { id, name }
}

function shorten(text: string): string {
  return text.length <= 160 ? text : `${text.slice(0, 157)}...`
}

function runOptions(flags: RunFlags) {
  const restrictions = restrictionsOf(flags)
  return {
    ...(restrictions === undefined ? {} : { restrictions }),
    ...(flags.context === undefined ? {} : { context: parseContext(flags.context) }),
    budget: {
      ...(flags.maxSteps === undefined ? {} : { steps: parseCount('--max-steps', flags.maxSteps) }),
      ...(flags.deadline === undefined ? {} : { seconds: parseDuration(flags.deadline) / 1000 }),
    },
  }
}

function parseContext(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CmdopError('config', 'Expected --context to be JSON.', { cause })
  }
}
