import { type AskFrame, type AskStream, Client } from '@cmdop/core'
import { AskWireFrame, CmdopError } from '@cmdop/protocol'
import { exitCodes } from '../exit-codes.ts'
import { loadSchema } from '../load-schema.ts'
import { parseDuration } from '../numbers.ts'
import { askFor, askForSecret } from '../prompt.ts'
import { wireNames } from '../resource-json.ts'
import { type RestrictionFlags, restrictionsOf } from '../restriction-options.ts'
import { printable, say, writeJson, writeStdout } from '../terminal.ts'

export interface AskFlags extends RestrictionFlags {
  session?: string
  pin?: string
  confirm?: 'suspicious' | 'changes'
  schema?: string
  timeout?: string
  json?: boolean
}

type Frame<Type extends AskFrame['type']> = Extract<AskFrame, { type: Type }>

/**
 * `cmdop machines ask`: the operator that lives on a machine. What it does goes to stderr, its answer to stdout; exit code 1 where
 * a person rejected what it wanted to do.
 */
export async function askCommand(
  machine: string,
  words: readonly string[],
  { signal, ...flags }: AskFlags & { signal: AbortSignal },
): Promise<number> {
  const options = { ...(await askOptions(flags)), ...(await pinOf(machine, flags, signal)) }
  await using client = new Client()
  const stream = client.machines.ask(machine, words.join(' '), { ...options, signal })
  for await (const frame of stream) {
    if (frame.type === 'event') await showEvent(frame)
    if (frame.type === 'pin_required') await givePin(stream, frame, signal)
    if (frame.type === 'pin_denied') await say(`cmdop: the PIN was refused: ${frame.reason}`)
    if (frame.type === 'confirm_required') await decide(stream, frame, signal)
    if (frame.type === 'done') return showEnd(frame, flags.json)
  }
  throw new CmdopError('protocol', 'The ask ended without its last frame.')
}

async function askOptions({ session, schema, timeout, confirm, ...flags }: AskFlags) {
  return {
    sessionId: session,
    confirm,
    outputSchema: schema === undefined ? undefined : ((await loadSchema(schema)) as Record<string, unknown>),
    timeoutSeconds: timeout === undefined ? undefined : Math.ceil(parseDuration(timeout) / 1000),
    restrictions: restrictionsOf(flags),
  }
}

/** The PIN that was passed, if any. */
async function pinOf(machine: string, { pin }: AskFlags, signal: AbortSignal): Promise<{ pin?: string }> {
  if (pin === undefined) return {}
  return { pin: pin === '-' ? await askForSecret(`PIN of ${printable(machine)}: `, signal) : pin }
}

async function showEvent({ event, payload }: Frame<'event'>): Promise<void> {
  const { tool, input, output, content, is_error: isError } = payload
  if (event === 'thinking') await say(`  thinking: ${String(content).trim()}`)
  if (event === 'tool_call') await say(`  → ${String(tool)} ${shortened(input)}`)
  if (event === 'tool_result') await say(`  ${isError === true ? '✗' : '←'} ${String(tool)} ${shortened(output)}`)
  if (event === 'approval')
    await say(`  ${String(tool)}: approval ${String(payload['approval_id'])}, ${String(payload['state'])}`)
}

async function givePin(stream: AskStream, { challengeId, label }: Frame<'pin_required'>, signal: AbortSignal) {
  if (!process.stdin.isTTY)
    throw new CmdopError(
      'config',
      'The machine asks for its PIN: pass --pin - and the PIN on standard input, or ask at a terminal.',
    )
  await stream.pin(challengeId, await askForSecret(`PIN of ${printable(label)}: `, signal))
}

/** Shows exactly what would be done. Whatever is typed but a yes rejects it. */
async function decide(stream: AskStream, frame: Frame<'confirm_required'>, signal: AbortSignal): Promise<void> {
  await say(`the operator wants to do this; danger: ${frame.dangerLevel}; until ${frame.expiresAt}`)
  for (const { machineName, tool, input } of frame.steps)
    await say(`  on ${machineName}: ${tool} ${JSON.stringify(input)}`)
  if (!process.stdin.isTTY)
    throw new CmdopError(
      'permission',
      'The operator asks for a confirmation, and nobody is here to give it, so the ask was stopped. Ask at a terminal.',
    )
  const answer = await askFor('Do exactly this? Type yes or no: ', signal)
  await stream.confirm(frame.token, answer === 'yes')
}

async function showEnd(done: Frame<'done'>, json: boolean | undefined): Promise<number> {
  const { id: _id, effects, ...frame } = done
  if (json === true) await writeJson(wireNames(AskWireFrame, { ...frame, effects: [...effects] }))
  else {
    if (done.output !== null) await writeJson(done.output)
    else if (done.text !== '') await writeStdout(`${printable(done.text)}\n`)
    for (const { effectId, state } of effects) await say(`effect ${effectId} is ${state}`)
    if (!done.success) await say(`cmdop: ${done.error}`)
  }
  return done.success ? exitCodes.ok : exitCodes.failed
}

function shortened(value: unknown): string {
  const text = JSON.stringify(value) ?? ''
  return text.length <= 160 ? text : `${text.slice(0, 157)}...`
}
