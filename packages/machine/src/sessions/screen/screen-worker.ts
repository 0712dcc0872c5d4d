/**
 * The thread that keeps the screens of all sessions. Started by `ScreenThread`; it imports only packages and its own
 * files, so that Node can run it as it is, from source or built.
 */
import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { Emulator } from './emulator.ts'
import type { ScreenAnswer, ScreenRequest } from './screen-messages.ts'

/** Painting is for those who come later; what is typed and shown now goes first. A nice value of this thread only. */
const NICENESS = 10

const port = parentPort
if (port === null) throw new Error('Expected screen-worker to be started as a worker thread, got the main thread.')
yieldToOthers()

const emulators = new Map<number, Emulator>()

port.on('message', (request: ScreenRequest) => {
  if (request.kind === 'open') emulators.set(request.id, new Emulator(request))
  const emulator = emulators.get(request.id)
  if (emulator !== undefined) serve(emulator, request)
})

function serve(emulator: Emulator, request: ScreenRequest): void {
  const { id } = request
  if (request.kind === 'resize') emulator.resize(request)
  else if (request.kind === 'write') {
    emulator.write(request.data)
    send({ kind: 'written', id, bytes: request.data.length })
  } else if (request.kind === 'snapshot') {
    send({ kind: 'snapshot', id, snapshotId: request.snapshotId, ...emulator.paint(request.history) })
  } else if (request.kind === 'close') {
    emulators.delete(id)
    emulator[Symbol.dispose]()
  }
}

function send(answer: ScreenAnswer): void {
  port?.postMessage(answer)
}

/** Linux has a priority for each thread; where there is none, or no right to it, all are equal. */
function yieldToOthers(): void {
  try {
    setPriority(Number(readlinkSync('/proc/thread-self').split('/').at(-1)), NICENESS)
  } catch {}
}
