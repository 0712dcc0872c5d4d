import { type Channel, CmdopError, isCmdopError, type Permit } from '@cmdop/protocol'

interface Turn {
  readonly channel: Channel
  readonly over: Promise<void>
}

/**
 * One upload of a call id at a time: whose connection was lost comes back before that is known here. Nothing of the former one
 * may come to its place any more when the later one begins.
 */
export class UploadTurns {
  readonly #turns = new Map<string, Turn>()

  /** Ends what goes on under the same call id of the same caller, and then does the work. */
  async take(channel: Channel, { fleetId, principalId, callId }: Permit, work: () => Promise<void>): Promise<void> {
    const key = JSON.stringify([fleetId, principalId, callId])
    for (let former = this.#turns.get(key); former !== undefined; former = this.#turns.get(key)) {
      former.channel.reset(takenOver())
      await former.over
    }
    const over = Promise.withResolvers<void>()
    const turn: Turn = { channel, over: over.promise }
    this.#turns.set(key, turn)
    try {
      await work()
    } finally {
      this.#turns.delete(key)
      over.resolve()
    }
  }
}

/** What the other side of a call is to hear of how its client ended: an upload that was taken over goes on. */
export function heardOf(error: unknown): unknown {
  if (!isCmdopError(error) || error.details['takenOver'] !== true) return error
  return new CmdopError('connection', 'Another connection goes on with this upload.')
}

function takenOver(): CmdopError {
  return new CmdopError('conflict', 'Another connection took over this upload.', { details: { takenOver: true } })
}
