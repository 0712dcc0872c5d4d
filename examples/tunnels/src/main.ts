import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { embedded } from 'cmdop'

// What the machine has on a port that nobody else reaches.
const server = createServer((_, answer) => answer.end('only here')).listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
await using opened = new AsyncDisposableStack()
opened.defer(() => void server.close())
const { client, machine } = opened.use(await embedded())

// A port of this computer that leads to it, for as long as the listener is there.
{
  await using listener = await client.tunnels.listen({ machineId: machine.id, port })
  const answer = await fetch(`http://127.0.0.1:${listener.port}/`)
  assert.equal(await answer.text(), 'only here')
}

// A tunnel that others find in a list, with an end and limits, and that anybody with the right goes through.
const { tunnelId } = await client.tunnels.open({
  machineId: machine.id,
  localPort: port,
  protocol: 'tcp',
  options: { ttlSeconds: 3600, maxConnections: 10, allowedPeers: ['127.0.0.0/8'] },
})
{
  await using listener = await client.tunnels.listen(tunnelId)
  assert.equal((await fetch(`http://127.0.0.1:${listener.port}/`)).status, 200)
}
for await (const { localHost, localPort, expiresAt } of client.tunnels.iter())
  assert(expiresAt > new Date().toISOString(), `${localHost}:${localPort}`)
await client.tunnels.close(tunnelId)

// What no tunnel leads to.
await assert.rejects(client.tunnels.open({ machineId: machine.id, localHost: '169.254.169.254', localPort: 80 }), {
  code: 'permission',
})
