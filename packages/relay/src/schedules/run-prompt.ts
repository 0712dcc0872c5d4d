import { setTimeout as sleep } from 'node:timers/promises'
import { AskLine, type AskWireFrame, CmdopError, fromWireError, isCmdopError, JsonLines } from '@cmdop/protocol'
import type { AskCall, AskService, AskStream } from '../ask/ask-service.ts'
import type { Caller } from '../auth/authenticate.ts'
import { newId } from '../auth/secrets.ts'
import type { ScheduleWork } from '../store/schedule-store.ts'
import {
  cancelledError,
  failedOutcome,
  isLost,
  isTransient,
  NOTHING,
  ORPHAN_MS,
  type Outcome,
  sentOutcome,
} from './outcome.ts'
import { OutputTail } from './output-tail.ts'

/** Milliseconds in which an ask that was lost is looked for, and between two tries. */
const ASK_WITHIN_MS = 60_000
const ASK_EVERY_MS = 500

/** A prompt on one machine. */
export interface PromptCall {
  readonly asks: AskService
  /** Who asks, as that is then. */
  readonly caller: () => Promise<Caller>
  readonly machineId: string
  readonly callId: string
  readonly work: ScheduleWork
  readonly cancelled: AbortSignal
  readonly leaving: AbortSignal
}

type Last = Extract<AskWireFrame, { type: 'done' | 'error' }>

/** Asks the operator of a machine once. Where the way there is lost, the ask is gone on with; it is never asked again. */
export async function runPrompt(call: PromptCall): Promise<Outcome> {
  return await follow(call, { begin: true })
}

/** How an ask ended that was sent before, maybe. */
export async function askForPrompt(call: PromptCall): Promise<Outcome> {
  return await follow(call, { begin: false })
}

/** Ends an ask for whose caller nobody stands any more. It is not listened to: whoever listens lets its operator go on. */
export async function endPrompt(call: PromptCall): Promise<Outcome> {
  const until = Date.now() + ASK_WITHIN_MS
  for (;;) {
    try {
      await sendCancel(call, await call.caller())
      return sentOutcome(cancelledError())
    } catch (error) {
      const isOver = Date.now() > until || call.leaving.aborted || !isTransient(error)
      if (isOver) return failedOutcome(unknownEnd(error))
    }
    await sleep(ASK_EVERY_MS, undefined, { signal: call.leaving }).catch(() => {})
  }
}

async function follow(call: PromptCall, { begin }: { begin: boolean }): Promise<Outcome> {
  const seen = { number: 0 }
  let next = begin ? beginOf(call) : attachTo(call, 0)
  let until = Date.now() + ASK_WITHIN_MS
  let isOpened = false
  for (;;) {
    try {
      const caller = await call.caller()
      await using stream = await call.asks.open(caller, next, { refresh: call.caller })
      isOpened = true
      const last = await lastFrame(call, { stream, caller, seen })
      if (last !== undefined) return outcomeOf(last, call.work)
    } catch (error) {
      const wasSent = isOpened || next.method === 'ask.attach' || isLost(error)
      if (!wasSent) return failedOutcome(error)
      if (!isTransient(error) || call.leaving.aborted) return sentOutcome(meant(error, next))
      if (Date.now() > until) return failedOutcome(unknownEnd(error))
    }
    if (next.method === 'ask') until = Date.now() + ASK_WITHIN_MS
    next = attachTo(call, seen.number)
    await sleep(ASK_EVERY_MS, undefined, { signal: call.leaving }).catch(() => {})
  }
}

/** Reads on until the ask ends; undefined where only the stream did. */
async function lastFrame(
  call: PromptCall,
  { stream, caller, seen }: { stream: AskStream; caller: Caller; seen: { number: number } },
): Promise<Last | undefined> {
  const stop = () => void cancelAsk(call, caller)
  const leave = () => void stream[Symbol.asyncDispose]()
  call.leaving.addEventListener('abort', leave, { once: true })
  if (call.leaving.aborted) leave()
  call.cancelled.addEventListener('abort', stop, { once: true })
  if (call.cancelled.aborted) stop()
  try {
    const reader = new JsonLines()
    for await (const data of stream.lines)
      for (const line of reader.push(data)) {
        const { number, frame } = AskLine.parse(line)
        seen.number = number
        if (frame.type === 'done' || frame.type === 'error') return frame
        if (frame.type === 'pin_required' || frame.type === 'confirm_required') {
          await cancelAsk(call, caller)
          throw nobody(frame.type)
        }
      }
    return undefined
  } finally {
    call.cancelled.removeEventListener('abort', stop)
    call.leaving.removeEventListener('abort', leave)
  }
}

async function cancelAsk(call: PromptCall, caller: Caller): Promise<void> {
  // What cannot be cancelled is over, or ends with its deadline.
  await sendCancel(call, caller).catch(() => {})
}

async function sendCancel({ asks, machineId: target, callId }: PromptCall, caller: Caller): Promise<void> {
  await asks.answer(caller, { method: 'ask.cancel', target, callId, params: {} })
}

function beginOf({ work, machineId: target, callId }: PromptCall): AskCall {
  const { prompt, output_schema: outputSchema, restrictions, timeout_seconds: timeoutSeconds } = work
  const params = {
    prompt: prompt ?? '',
    conversationId: newId('con_'),
    timeoutSeconds,
    orphanMs: ORPHAN_MS,
    ...(outputSchema === null ? {} : { outputSchema }),
    ...(restrictions === null ? {} : { restrictions }),
  }
  return { method: 'ask', target, callId, params }
}

function attachTo({ machineId: target, callId }: PromptCall, after: number): AskCall {
  return { method: 'ask.attach', target, callId, params: { after } }
}

function outcomeOf(last: Last, work: ScheduleWork): Outcome {
  // It may have acted before.
  if (last.type === 'error') return sentOutcome(fromWireError(last, { idempotent: false }))
  const tail = new OutputTail(work.max_output_bytes)
  tail.add(Buffer.from(last.text))
  const answer = work.output_schema === null ? null : JSON.stringify(last.output ?? null)
  const isTooLong = answer !== null && Buffer.byteLength(answer) > Math.max(work.max_output_bytes, 1024)
  const about = {
    ...NOTHING,
    output: tail.text(),
    outputTruncated: tail.isTruncated || isTooLong,
    outputBytes: tail.bytes,
    answer: isTooLong ? null : answer,
  }
  if (last.success) return { ...about, status: 'ok' }
  return { ...about, status: 'failed', error: last.error === '' ? 'The operator did not do it.' : last.error }
}

function meant(error: unknown, { method }: AskCall): unknown {
  return method === 'ask.attach' && isCmdopError(error) && error.code === 'not_found' ? unknownEnd(error) : error
}

function nobody(what: string): CmdopError {
  return new CmdopError(
    'approval_required',
    what === 'pin_required'
      ? 'The machine asks for its PIN, and a schedule has none; nothing more ran.'
      : 'The operator asks somebody to confirm, and nobody is there; nothing more ran.',
  )
}

function unknownEnd(cause: unknown): CmdopError {
  return new CmdopError('unknown', 'How the ask ended is not known, and it is not asked again.', { cause })
}
