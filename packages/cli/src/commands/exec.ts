import type { ExecOptions, RemoteMachine } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'
import { connectMachine } from '../connect.ts'
import { parseDuration } from '../numbers.ts'
import { execExitCodeOf, execExitCodes } from '../exit-codes.ts'
import { reportError, writeJson, writeStderr, writeStdout } from '../terminal.ts'
import { constants } from 'node:os'

export interface ExecFlags {
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
    const options: ExecOptions = { ...execOptions(flags), signal }
    await using connected = await connectMachine(reference, signal)
    const command = flags.shell === true ? argv.join(' ') : argv
    return flags.json === true
      ? await printResult(connected.machine, command, options)
      : await passThrough(connected.machine, command, options)
  } catch (error) {
    return execExitCodeOf((await reportError(error, flags.json === true)).code)
  }
}

async function passThrough(machine: RemoteMachine, command: string | string[], options: ExecOptions): Promise<number> {
  const execution = machine.exec(command, options)
  for await (const { stream, data } of execution) await (stream === 'stdout' ? writeStdout(data) : writeStderr(data))
  const { exitCode, signal } = await execution.exit
  return exitCode ?? codeOfSignal(signal)
}

async function printResult(machine: RemoteMachine, command: string | string[], options: ExecOptions): Promise<number> {
  const { stdoutData: _, stderrData: __, ...result } = await machine.exec(command, options)
  await writeJson({ machine: { id: machine.id, name: machine.name }, ...result })
  return result.exitCode ?? codeOfSignal(result.signal)
}

function codeOfSignal(signal: string | null): number {
  const numbers: Record<string, number> = constants.signals
  return execExitCodes.signalBase + (numbers[signal ?? ''] ?? 0)
}

function execOptions(flags: ExecFlags): ExecOptions {
  return {
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
