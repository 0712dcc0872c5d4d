/** The process in a view that serves the files there, over its input and output, until its input ends. */
import { Socket } from 'node:net'
import { type Channel, CmdopError, Connection, isMethodName, toCmdopError } from '@cmdop/protocol'
import { callHandler } from '../../call-handler.ts'
import { createLocalFiles } from '../local-files.ts'
import { createStreamTransport } from './stream-transport.ts'

// Notes on what is half-written would be part of the effect, and no later start looks at them.
const files = createLocalFiles(undefined)
const running = new Set<Promise<void>>()

async function serve(channel: Channel): Promise<void> {
  const { method, callId } = channel.open
  try {
    if (!isMethodName(method)) throw new CmdopError('unsupported', `There is no method ${method} here.`)
    // Whoever comes here has the right to this view; it is of one principal.
    await callHandler(files.handlers, method, { channel, caller: { fleetId: '', principalId: '', callId } })
  } catch (cause) {
    channel.reset(toCmdopError(cause, 'server', 'The machine met a fault of its own with files in a session.'))
  }
}

// Not the ones of `process`: writing to those blocks.
const streams = { input: new Socket({ fd: 0, writable: false }), output: new Socket({ fd: 1, readable: false }) }
const connection = new Connection(createStreamTransport(streams), {
  role: 'acceptor',
  hello: () => ({}),
  onChannel: (channel) => {
    const served = serve(channel).finally(() => running.delete(served))
    running.add(served)
  },
})
await connection.closed
await Promise.all(running)
await files.discardKept()
