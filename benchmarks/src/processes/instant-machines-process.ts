/** Machines whose commands take no time: each call with a permit is noted and answered. Arguments: address of the relay, token, how many. */
import { CHANNEL_SUBPROTOCOL, Connection, createEmitterTransport, type ExecEnd } from '@cmdop/protocol'
import { WebSocket } from 'ws'
import { enrollIdleMachine, type IdleMachine, proofOf } from './idle-machine.ts'
import { serve } from './serve.ts'

const [relayUrl = '', token = '', count = '0'] = process.argv.slice(2)
const DONE: ExecEnd = { reason: 'exited', exitCode: 0, signal: null, stdoutBytes: 0, stderrBytes: 0, durationMs: 0 }

/** When calls arrived, milliseconds since 1970. */
let arrivals: number[] = []
const connections: Connection[] = []
for (let index = 0; index < Number(count); index += 1) {
  const name = `instant-${index}`
  connections.push(await connect(await enrollIdleMachine(relayUrl, token, name), name))
}

serve({
  ready: { machines: connections.length },
  answer: async (question) => {
    if (question.type !== 'arrivals') throw new Error('Expected to be asked for arrivals.')
    const all = arrivals
    arrivals = []
    return { arrivals: all }
  },
  close: async () => {
    for (const connection of connections) connection.close()
  },
})

async function connect(machine: IdleMachine, name: string): Promise<Connection> {
  const url = `${relayUrl.replace(/^http/, 'ws')}/api/channel?role=machine`
  const socket = new WebSocket(url, [CHANNEL_SUBPROTOCOL], { perMessageDeflate: false })
  const connection = new Connection(createEmitterTransport(socket), {
    role: 'dialer',
    hello: (peer) => proofOf(peer?.challenge ?? '', machine, name),
    onChannel: (channel) => {
      if (channel.open.permit === undefined) throw new Error('Expected a permit.')
      arrivals.push(Date.now())
      channel.accept()
      void channel.end(DONE)
    },
  })
  await connection.ready
  return connection
}
