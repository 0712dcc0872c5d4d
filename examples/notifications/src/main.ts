import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { embedded, verifyNotification } from 'cmdop'

await using local = await embedded()
const { client, machine } = local

// A receiver of yours: it believes only what the relay has signed, and decides nothing.
const told: string[] = []
let secret = ''
async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = (await buffer(request)).toString()
  const notification = await verifyNotification(body, request.headers, { secret }).catch(() => undefined)
  if (notification !== undefined) told.push(`${notification.event} ${notification.approval?.title}`)
  response.writeHead(notification === undefined ? 401 : 204).end()
}
const server = createServer((request, response) => void receive(request, response))
await once(server.listen(0, '127.0.0.1'), 'listening')
const { port } = server.address() as { port: number }

// The secret is shown once, here.
const webhook = await client.webhooks.create({ url: `http://127.0.0.1:${port}/cmdop` })
secret = webhook.secret

const asked = await client.approvals.request({
  title: 'Restart the web server',
  actions: [{ machineId: machine.id, method: 'exec', params: { command: 'systemctl restart web' } }],
})
for await (const event of client.approvals.watch()) {
  if (event.state === 'pending') await client.approvals.deny(event.approval.id, { reason: 'not at noon' })
  else break
}

// What was sent, and what became of it.
const sent = async () => (await client.webhooks.deliveries(webhook.id)).items
while ((await sent()).filter(({ state }) => state === 'delivered').length < 2) await sleep(50)
assert.deepEqual(told.toSorted(), ['approval.denied Restart the web server', 'approval.pending Restart the web server'])
assert.deepEqual(new Set((await sent()).map(({ approvalId }) => approvalId)), new Set([asked.id]))

server.closeAllConnections()
server.close()
