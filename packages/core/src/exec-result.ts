import { type Channel, CmdopError, ExecEnd, execLanes, KEPT_RESULT_BYTES } from '@cmdop/protocol'
import { type Channels, concat } from './channels.ts'
import { refusedError } from './exec-error.ts'
import { resultOf } from './exec-output.ts'
import { exitError } from './exit-error.ts'
import type { ExecResult } from './machine.ts'
import { OutputCollector } from './output-collector.ts'
import { createBackoff, isTransient } from './reconnect.ts'
import { wait } from './wait.ts'

/** Milliseconds in which a lost connection is tried to be had again. */
const COME_BACK_WITHIN_MS = 30_000

/** Whose result is asked for. */
export interface ExecResultQuestion {
  readonly channels: Channels
  readonly machineId: string
  readonly callId: string
  readonly signal: AbortSignal | undefined
}

/** Asks a machine how a call ended, and waits for one that still runs. See `Machine.execResult`. */
export async function askExecResult(question: ExecResultQuestion): Promise<ExecResult> {
  const { signal } = question
  for (;;) {
    const channel = await question.channels.open({
      method: 'exec.result',
      target: question.machineId,
      params: {},
      callId: question.callId,
      signal,
    })
    const cancel = () => channel.reset(new CmdopError('cancelled', 'The call was cancelled.'))
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      return await read(channel)
    } catch (error) {
      if (!isTransient(error)) throw error
      await whenBack(question, error)
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }
}

async function whenBack({ channels, signal }: ExecResultQuestion, lost: CmdopError): Promise<void> {
  const end = Date.now() + COME_BACK_WITHIN_MS
  for (const backoff = createBackoff(); ;) {
    await wait(backoff(), signal)
    try {
      await channels.connect()
      return
    } catch (error) {
      if (!isTransient(error) || Date.now() >= end) throw lost
    }
  }
}

async function read(channel: Channel): Promise<ExecResult> {
  const parts: Record<'stdout' | 'stderr', Uint8Array[]> = { stdout: [], stderr: [] }
  for await (const { lane, data } of channel) parts[lane === execLanes.stderr ? 'stderr' : 'stdout'].push(data)
  const { reason, ...exit } = ExecEnd.parse(await channel.finished)
  await channel.end()
  const result = resultOf(exit, {
    stdout: streamOf(parts.stdout, exit.stdoutBytes),
    stderr: streamOf(parts.stderr, exit.stderrBytes),
  })
  if (reason !== 'exited') throw exitError(reason, exit, { result })
  const { effect } = exit
  if (effect?.refusal !== undefined) throw refusedError(exit, effect, { refusal: effect.refusal, result })
  return result
}

/** What is left out is in the middle: the head is as long as the machine keeps one. */
function streamOf(parts: readonly Uint8Array[], total: number) {
  const kept = concat(
    parts,
    parts.reduce((bytes, part) => bytes + part.length, 0),
  )
  const collector = new OutputCollector(KEPT_RESULT_BYTES)
  collector.add(kept.subarray(0, KEPT_RESULT_BYTES / 2))
  collector.skip(total - kept.length)
  collector.add(kept.subarray(KEPT_RESULT_BYTES / 2))
  return collector.finish()
}
