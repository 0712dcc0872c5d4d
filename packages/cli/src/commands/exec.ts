import { ExecError, type ExecOptions, type ExecResult } from '@cmdop/core'
import { CmdopError, EffectSummary, toWireError } from '@cmdop/protocol'
import { tellApproval } from './approvals.ts'
import { type Connected, connectMachine } from '../connect.ts'
import { tellEffect } from '../effects/tell-effect.ts'
import { parseDuration } from '../numbers.ts'
import { execExitCodeOf, execExitCodes } from '../exit-codes.ts'
import { type RestrictionFlags, restrictionsOf } from '../restriction-options.ts'
import { reportError, say, writeJson, writeStderr, writeStdout } from '../terminal.ts'
import { constants } from 'node:os'

export interface ExecFlags extends RestrictionFlags {
  cwd?: string
  env?: string[]
  deadline?: string
  stdin?: boolean
  shell?: boolean
  json?: boolean
}

/** `cmdop exec <machine> -- <argv>`: the command's output as it comes, and its exit code. */
export async function execCommand(
  reference: string,
  argv: string[],
  { signal, ...flags }: ExecFlags & { signal: AbortSignal },
): Promise<number> {
  try {
    const options: ExecOptions = { ...execOptions(flags), signal, approval: { wait: true, onApproval: tellApproval } }
    await using connected = await connectMachine(reference, signal)
    const command = flags.shell === true ? argv.join(' ') : argv
    return flags.json === true
      ? await printResult(connected, command, options)
      : await passThrough(connected, command, options)
  } catch (error) {
    return execExitCodeOf((await reportError(error, flags.json === true)).code)
  }
}

async function passThrough(connected: Connected, command: string | string[], options: ExecOptions): Promise<number> {
  const execution = connected.machine.exec(command, options)
  try {
    for await (const { stream, data } of execution) await (stream === 'stdout' ? writeStdout(data) : writeStderr(data))
    const { exitCode, signal, effect } = await execution.exit
    if (isWaiting(effect)) await tellEffect(connected, effect.effectId)
    else if (options.restrictions?.dryRun === true) await say('cmdop: nothing would change')
    return exitCode ?? codeOfSignal(signal)
  } catch (error) {
    const effect = error instanceof ExecError ? EffectSummary.safeParse(error.details['effect']).data : undefined
    if (isWaiting(effect)) await tellEffect(connected, effect.effectId)
    throw error
  }
}

async function printResult(connected: Connected, command: string | string[], options: ExecOptions): Promise<number> {
  const { id, name } = connected.machine
  try {
    const result = await connected.machine.exec(command, options)
    await writeJson({ machine: { id, name }, ...(await printed(connected, result)) })
    return result.exitCode ?? codeOfSignal(result.signal)
  } catch (error) {
    if (!(error instanceof ExecError) || error.result === undefined) throw error
    await writeJson({
      error: toWireError(error),
      machine: { id, name },
      ...(await printed(connected, error.result)),
    })
    return execExitCodeOf(error.code)
  }
}

/** A result as JSON, with the changes of an effect that waits. */
async function printed({ machine }: Connected, given: ExecResult): Promise<object> {
  const { stdoutData: _, stderrData: __, ...result } = given
  if (!isWaiting(result.effect)) return result
  // The output is not given up for it: `effect` says which it is, and `cmdop effects show` why it cannot be shown.
  const details = await machine.effects.get(result.effect.effectId).catch(() => undefined)
  return { ...result, effects: details?.list ?? null }
}

function isWaiting(effect: EffectSummary | undefined): effect is EffectSummary {
  return effect?.state === 'pending'
}

function codeOfSignal(signal: string | null): number {
  const numbers: Record<string, number> = constants.signals
  return execExitCodes.signalBase + (numbers[signal ?? ''] ?? 0)
}

function execOptions(flags: ExecFlags): ExecOptions {
  const restrictions = restrictionsOf(flags)
  return {
    ...(restrictions === undefined ? {} : { restrictions }),
    ...(flags.cwd === undefined ? {} : { cwd: flags.cwd }),
    ...(flags.env === undefined ? {} : { env: Object.fromEntries(flags.env.map(parseVariable)) }),
    ...(flags.deadline === undefined ? {} : { deadlineMs: parseDuration(flags.deadline) }),
    ...(flags.stdin === true ? { stdin: process.stdin as AsyncIterable<Uint8Array> } : {}),
  }
}

function parseVariable(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at < 1) throw new CmdopError('config', `Expected --env to be NAME=VALUE, got "${text}".`)
  return [text.slice(0, at), text.slice(at + 1)]
}
