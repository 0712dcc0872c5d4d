import {
  ANSWER_LANE,
  type Channel,
  CmdopError,
  CONTROL_LANE,
  MAX_CONTROL_BYTES,
  methods,
  type MethodName,
  toCmdopError,
} from '@cmdop/protocol'
import { heardOf } from './upload-turns.ts'

/**
 * Joins the channel of a client to one that was opened for it: content and control in their order, no more under way than
 * both have credit for. Resolves with the trailer of the answer, which is the caller's to pass on; throws what either side
 * was reset with, and then both are over but for the client's, which is the caller's to reset.
 */
export async function forwardChannel(client: Channel, served: Channel): Promise<unknown> {
  const end = (cause: unknown) => served.reset(toCmdopError(cause, 'server', 'The call could not be passed on.'))
  client.over.catch((error: unknown) => end(heardOf(error)))
  let isAsked = false
  const asking = askAll(client, served).then(() => {
    isAsked = true
  })
  asking.catch(end)
  try {
    // That it is broken is known at once, also while the client does not read.
    const broken = new Promise<never>((_, reject) => void served.over.catch(reject))
    await Promise.race([answerAll(served, client), broken])
    const trailer = await served.finished
    if (!isAsked) throw new CmdopError('protocol', 'The files of the session were answered for before the question.')
    return trailer
  } catch (error) {
    end(error)
    throw error
  }
}

/** What the client sends. Where it sends nothing, the end is said at once. */
async function askAll(client: Channel, served: Channel): Promise<void> {
  if (!methods[client.open.method as MethodName].input) return served.end()
  for await (const { lane, data } of client) await served.send(lane, data)
  await client.finished
  return served.end()
}

async function answerAll(served: Channel, client: Channel): Promise<void> {
  await served.accepted
  client.accept()
  for await (const { lane, data } of served) {
    const isControl = lane === CONTROL_LANE && data.length <= MAX_CONTROL_BYTES
    if (lane !== ANSWER_LANE && !isControl)
      throw new CmdopError('protocol', 'The files of the session were answered for in a form that is none of ours.')
    await client.send(lane, data)
  }
}
