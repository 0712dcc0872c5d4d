import { Counter, Gauge, Registry } from 'prom-client'

/** What `GET /metrics` shows, in the Prometheus text format. */
export interface Metrics {
  readonly registry: Registry
  /** Calls decided, by method and code (`ok` when allowed). */
  readonly calls: Counter<'method' | 'code'>
}

/** Makes the metrics of one relay; the functions are asked when they are scraped. */
export function createMetrics(read: Readonly<Record<'machines' | 'clients' | 'channels', () => number>>): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value())
      },
    })
  gauge('cmdop_machines_connected', 'Machines connected to this relay.', read.machines)
  gauge('cmdop_clients_connected', 'Client connections of this relay.', read.clients)
  gauge('cmdop_channels_open', 'Channels forwarded by this relay.', read.channels)
  gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', () => process.memoryUsage.rss())
  gauge('process_uptime_seconds', 'Seconds since the relay started.', () => process.uptime())
  const calls = new Counter({
    name: 'cmdop_calls_total',
    help: 'Calls to machines, by method and code of the decision.',
    labelNames: ['method', 'code'] as const,
    registers,
  })
  return { registry, calls }
}
