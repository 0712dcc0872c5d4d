/** What `cmdop tunnel` is, in a process of its own. Arguments: address of the relay, key, id of the machine, port there. */
import { Client } from '@cmdop/core'
import { serve } from './serve.ts'

const [baseUrl = '', token = '', machineId = '', port = ''] = process.argv.slice(2)
const client = new Client({ baseUrl, token })
const listener = await client.tunnels.listen({ machineId, port: Number(port) })
serve({ ready: { port: listener.port }, close: () => client.close() })
