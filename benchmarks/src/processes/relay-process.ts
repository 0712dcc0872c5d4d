/** A relay in a process of its own. Argument: its data folder. */
import { startRelay } from '@cmdop/relay'
import { serve } from './serve.ts'

const [dataDir = ''] = process.argv.slice(2)
const relay = await startRelay({ dataDir, port: 0, logLevel: 'error', drainMs: 0 })
serve({ ready: { url: relay.url, key: relay.firstKey }, close: () => relay.close() })
