import { randomBytes } from 'node:crypto'
import { type Channel, CmdopError, type Permit } from '@cmdop/protocol'
import { abandoned } from '../../answer.ts'
import type { Handlers } from '../../call-handler.ts'
import type { FilePlaces } from '../../restricted/file-places.ts'
import type { FileHandlers } from '../local-files.ts'
import type { FileProcesses } from './file-processes.ts'
import { UploadTurns } from './upload-turns.ts'

/** Serves any of the methods: each gets the parameters that were checked for it. */
type AnyHandler = (channel: Channel, params: unknown, permit: Permit) => Promise<void> | void

interface FileParams extends Record<string, unknown> {
  readonly session?: string
}

interface SessionCall {
  readonly channel: Channel
  readonly sessionId: string
  readonly params: Record<string, unknown>
  readonly permit: Permit
}

export interface InSessionsOptions {
  /** Undefined: there are no sessions. */
  readonly places: FilePlaces | undefined
  readonly processes: FileProcesses
}

/** The same methods; a call that names a session is done where that session works, and answered once its effect is there. */
export function serveInSessions(onDisk: FileHandlers, options: InSessionsOptions): Handlers {
  const turns = new UploadTurns()
  const served = Object.entries(onDisk).map(([method, given]): [string, AnyHandler] => {
    const handler = given as AnyHandler
    return [
      method,
      (channel, params, permit) => {
        const { session: sessionId, ...rest } = params as FileParams
        if (sessionId === undefined) return handler(channel, rest, permit)
        const serve = () => serveInSession({ channel, sessionId, params: rest, permit }, handler, options)
        return method === 'file.write' ? turns.take(channel, permit, serve) : serve()
      },
    ]
  })
  return Object.fromEntries(served)
}

async function serveInSession(call: SessionCall, onDisk: AnyHandler, options: InSessionsOptions): Promise<void> {
  const { places, processes } = options
  const { channel, sessionId, params, permit } = call
  if (places === undefined) throw new CmdopError('unsupported', 'This daemon serves no files of sessions.')
  const gone = abandoned(channel)
  const { result: answer, effect } = await places.enter(
    { sessionId, permit, callId: ownId(permit.callId) },
    async (place) => {
      gone.throwIfAborted()
      if (place.kind === 'sandbox') return processes.use(place, (process) => process.serve(channel, params))
      await onDisk(channel, params, permit)
      return undefined
    },
  )
  // A refusal of the effect comes before this.
  if (answer === undefined) return
  const { trailer } = answer
  await channel.end(effect === undefined || !isObject(trailer) ? trailer : { ...trailer, effect })
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** A call that is repeated after a lost connection has its id again, and is another transaction. */
function ownId(callId: string): string {
  return `${callId.slice(0, 50)}-${randomBytes(6).toString('hex')}`
}
