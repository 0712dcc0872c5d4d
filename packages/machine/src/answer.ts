import { ANSWER_LANE, type Channel, CmdopError, MAX_ANSWER_BYTES } from '@cmdop/protocol'

/** Aborts when the channel is reset: nobody waits for the answer any more. */
export function abandoned(channel: Channel): AbortSignal {
  const stop = new AbortController()
  channel.over.catch((error: unknown) => stop.abort(error))
  return stop.signal
}

/** One answer as JSON on its lane, then the end. */
export async function answer(channel: Channel, read: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  channel.accept()
  const data = Buffer.from(JSON.stringify(await read(abandoned(channel))))
  if (data.length > MAX_ANSWER_BYTES)
    throw new CmdopError('frame_too_large', `The answer is over ${MAX_ANSWER_BYTES} bytes.`)
  await channel.send(ANSWER_LANE, data)
  await channel.end()
}
