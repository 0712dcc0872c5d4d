/** A script over a fleet, and the memory that it takes. Arguments: the address of the relay, a key, a command. */
import { Client } from '@cmdop/core'
import { createFleet } from '@cmdop/fleet'

const [baseUrl = '', token = '', command = ''] = process.argv.slice(2)
await using client = new Client({ baseUrl, token })
const fleet = createFleet(client, '*')
await fleet.exec('true', { concurrency: 32 })
const before = process.memoryUsage.rss()
let peak = before
const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 5)
const { rows } = await fleet.exec(command, { concurrency: 32 })
clearInterval(timer)
const bytes = rows.reduce((sum, { result }) => sum + (result?.stdout.length ?? 0), 0)
const ok = rows.filter(({ outcome }) => outcome === 'ok').length
process.send?.({ type: 'ready', ok, bytes, before, peak: Math.max(peak, process.memoryUsage.rss()) })
process.on('disconnect', () => process.exit(0))
