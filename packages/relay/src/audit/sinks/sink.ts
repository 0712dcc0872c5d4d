import { CmdopError } from '@cmdop/protocol'
import type { AuditCheckpointRow } from '../../store/audit-store.ts'
import { fileSink } from './file-sink.ts'
import { syslogSink } from './syslog-sink.ts'
import { webhookSink } from './webhook-sink.ts'

/** A place off the machine, or on it, that keeps checkpoints. Sending the same one twice does no harm there. */
export interface Sink {
  /** Resolves when it was taken; rejects when it was not, or the signal came. */
  send(checkpoint: AuditCheckpointRow, signal: AbortSignal): Promise<void>
}

/**
 * The sink that a setting means: `file:/path`, `https://…` (`http://` on loopback only), `syslog:udp://host:514` or
 * `syslog:tcp://host:514`. Throws `config`.
 */
export function parseSink(setting: string): Sink {
  const url = URL.canParse(setting) ? new URL(setting) : undefined
  if (url?.protocol === 'file:') return fileSink(decodeURIComponent(url.pathname))
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname))) return webhookSink(url)
  const [, transport, host, port = '514'] =
    /^syslog:(udp|tcp):\/\/([^/:]+|\[[^\]]+\])(?::(\d{1,5}))?\/?$/.exec(setting) ?? []
  if (host !== undefined && (transport === 'udp' || transport === 'tcp'))
    return syslogSink({ transport, host: host.replace(/^\[|\]$/g, ''), port: Number(port) })
  throw new CmdopError(
    'config',
    `Expected an audit sink to be file:/path, https://address or syslog:tcp://host:port, got "${setting}".`,
  )
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}
