/** Many idle machines in one process. Arguments: address of the relay, enrolment token, how many to enrol. */
import type { WebSocket } from 'ws'
import { connectIdleMachine, enrollIdleMachine, type IdleMachine } from './idle-machine.ts'
import { serve } from './serve.ts'

/** Enrolments and handshakes under way at once. */
const AT_ONCE = 50

const [relayUrl = '', token = '', count = '0'] = process.argv.slice(2)
const waiting: { machine: IdleMachine; name: string }[] = []
const sockets: WebSocket[] = []

await inParallel(Number(count), async (index) => {
  const name = `idle-${index}`
  waiting.push({ machine: await enrollIdleMachine(relayUrl, token, name), name })
})

serve({
  answer: async (question) => {
    if (question.type !== 'connect') throw new Error('Expected to be asked for connections.')
    const next = waiting.splice(0, question.count)
    await inParallel(next.length, async (index) => {
      const item = next[index]
      if (item !== undefined) sockets.push(await connectIdleMachine(question.url, item.machine, item.name))
    })
    return { connected: sockets.length }
  },
  close: async () => {
    for (const socket of sockets) socket.terminate()
  },
})

async function inParallel(total: number, action: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const work = async () => {
    while (next < total) await action(next++)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
}
