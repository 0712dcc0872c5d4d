import { Client, type RecordedEvent, type RecordingSummary } from '@cmdop/core'
import { CmdopError, toCmdopError, toWireError } from '@cmdop/protocol'
import { setTimeout as sleep } from 'node:timers/promises'
import { exitCodeOf, exitCodes } from '../exit-codes.ts'
import { openReplayScreen } from '../interactive/replay-screen.ts'
import { parseDuration } from '../numbers.ts'
import { createPace, type Pace } from '../replay-pace.ts'
import { say, writeStdout } from '../terminal.ts'

/** Milliseconds that a timer can wait. */
const LONGEST_WAIT_MS = 2 ** 31 - 1

export interface ReplayFlags {
  speed?: string
  idleLimit?: string
  json?: boolean
}

/** `cmdop replay <id>`: plays a recording to the terminal as it was; where stdout is none, all of it at once. */
export async function replayCommand(id: string, flags: ReplayFlags, signal: AbortSignal): Promise<number> {
  const pace = parsePace(flags)
  await using client = new Client()
  const recording = await client.recordings.get(id, { signal })
  const events = client.recordings.events(recording.recordingId, { signal })
  if (flags.json === true) return printJson(recording, events)
  await play(events, pace, signal)
  await sayEnd(recording)
  return exitCodes.ok
}

function parsePace({ speed, idleLimit }: ReplayFlags): Pace {
  const factor = speed === undefined ? 1 : Number(speed)
  if (!(factor > 0 && factor <= 1000))
    throw new CmdopError('config', `Expected --speed to be a number over 0, 1000 at most, got "${speed}".`)
  return { speed: factor, idleLimitMs: idleLimit === undefined ? Number.POSITIVE_INFINITY : parseDuration(idleLimit) }
}

async function play(events: AsyncIterable<RecordedEvent>, pace: Pace, signal: AbortSignal): Promise<void> {
  await using screen = openReplayScreen()
  const dueAt = createPace(pace)
  const beganAt = performance.now()
  for await (const event of events) {
    const waitMs = Math.min(beganAt + dueAt(event.time) - performance.now(), LONGEST_WAIT_MS)
    if (screen.isTerminal && waitMs > 1) await sleep(waitMs, undefined, { signal }).catch(() => {})
    if (signal.aborted) throw new CmdopError('cancelled', 'The replay was stopped.')
    // A terminal is shown what it was; a file or a program gets the bytes.
    if (event.type === 'output') await (screen.isTerminal ? screen.show(event.text) : writeStdout(event.data))
  }
}

async function sayEnd({ state, manifest }: RecordingSummary): Promise<void> {
  if (state === 'open') await say('cmdop: this recording is not over yet')
  if (state === 'damaged') await say('cmdop: this recording is damaged: it is not what the machine wrote (SHA-256)')
  if (manifest?.integrity === 'lost') await say('cmdop: the daemon of the machine ended under this recording')
  if (manifest?.integrity === 'gap') await say('cmdop: a part could not be recorded')
}

/** One document, written as it is read, because a recording may be long; what goes wrong on the way is in it too. */
async function printJson(recording: RecordingSummary, events: AsyncIterable<RecordedEvent>): Promise<number> {
  await writeStdout(JSON.stringify({ recording }, null, 2).replace(/\n\}$/, ',\n  "events": ['))
  let separator = '\n'
  let failure: CmdopError | undefined
  try {
    for await (const event of events) {
      const shown = event.type === 'output' ? { ...event, data: Buffer.from(event.data).toString('base64') } : event
      await writeStdout(`${separator}    ${JSON.stringify(shown)}`)
      separator = ',\n'
    }
  } catch (error) {
    failure = toCmdopError(error, 'server', 'The recording could not be read.')
  }
  const error = failure === undefined ? '' : `,\n  "error": ${JSON.stringify(toWireError(failure))}`
  await writeStdout(`\n  ]${error}\n}\n`)
  return failure === undefined ? exitCodes.ok : exitCodeOf(failure.code)
}
